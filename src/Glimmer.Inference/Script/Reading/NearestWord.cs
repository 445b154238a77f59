namespace Glimmer.Inference.Script;

/// <summary>Guesses what somebody meant who wrote a word that nobody knows.</summary>
internal static class NearestWord
{
    private const int LongestWord = 40;

    /// <summary>The word that was probably meant; null when none is near.</summary>
    /// <param name="word">What was written.</param>
    /// <param name="legal">What is legal.</param>
    public static string? To(string word, IReadOnlyCollection<string> legal)
    {
        if (word.Length is 0 or > LongestWord)
            return null;
        string plain = word.Replace('-', '_').ToLowerInvariant();
        if (Habit(plain) is { } habit && legal.Contains(habit, StringComparer.Ordinal))
            return habit;
        string? nearest = null;
        int least = Math.Max(1, plain.Length / 3) + 1;
        foreach (string candidate in legal)
        {
            int distance = Distance(plain, candidate);
            if (distance < least)
                (least, nearest) = (distance, candidate);
        }

        return nearest;
    }

    /// <summary>What other tools' files, and people who have not read the page, call it; null for nothing known.</summary>
    private static string? Habit(string word) => word switch
    {
        "match" or "matches" or "request" or "if" or "given" => "when",
        "response" or "respond" or "answer" or "then" or "return" => "reply",
        "sequence" or "responses" or "answers" => "replies",
        "content" => "text",
        "message" or "prompt" or "contains" or "body" or "regex" => "last",
        "reasoning" or "reasoning_content" => "thinking",
        "tools" or "calls" or "function_call" => "tool_calls",
        "latency" or "wait" or "sleep" => "delay",
        "tokens_per_second" or "tps" => "rate",
        "cut" or "truncate" => "cut_after",
        "finish" or "finish_reason" => "end",
        "status" or "code" => "error",
        "count" or "once" => "times",
        "scenarios" => "rules",
        "default" or "otherwise" => "fallback",
        "rate_limit" or "rate_limits" => "limits",
        _ => null,
    };

    /// <summary>Letters to insert, remove, replace or swap with their neighbour (optimal string alignment).</summary>
    private static int Distance(string left, string right)
    {
        int[,] cost = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++)
            cost[i, 0] = i;
        for (int j = 0; j <= right.Length; j++)
            cost[0, j] = j;
        for (int i = 1; i <= left.Length; i++)
        {
            for (int j = 1; j <= right.Length; j++)
            {
                int replaced = cost[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }

        return cost[left.Length, right.Length];
    }
}
