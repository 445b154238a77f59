namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>The bundled model behind HTTP says what the reference implementation says.</summary>
[Collection(TinyServerTests.Name)]
public sealed class KnownAnswersTests(TinyServer server)
{
    // A smaller gap between the two best logits may turn either way by rounding alone.
    private const double CertainGap = 0.001;

    [Fact]
    public async Task Every_known_request_is_answered_as_by_the_reference()
    {
        SaidAnswer[] answers = new SaidAnswer[KnownRequest.All.Count];
        await Parallel.ForAsync(0, answers.Length, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, cancel) => answers[i] = await server.AskAsync(KnownRequest.All[i].Body(), cancel));

        List<string> wrong = [];
        int right = 0;
        for (int i = 0; i < answers.Length; i++)
        {
            KnownRequest known = KnownRequest.All[i];
            SaidAnswer expected = known.Reference(server.Package);
            if (known.Row.Means(answers[i].Content, answers[i].CallList))
                right++;
            if (answers[i] != expected && !MayDiffer(known, answers[i]))
                wrong.Add($"{known.Name}:\n  expected {expected}\n  actual   {answers[i]}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        int reference = KnownRequest.All.Count(known => known.Row.Right);
        Assert.InRange(right, reference - 0.02 * answers.Length, reference + 0.02 * answers.Length);
    }

    [Fact]
    public async Task Streamed_answers_are_the_plain_ones()
    {
        KnownRequest[] sample = [.. KnownRequest.All.Where((known, i) => i % 5 == 0 || known.Name.Contains("tools", StringComparison.Ordinal))];
        await Parallel.ForEachAsync(sample, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (known, cancel) =>
        {
            SaidAnswer plain = await server.AskAsync(known.Body(), cancel);
            Assert.Equal(plain, await server.AskAsync(known.Body(("stream", true)), cancel));
            Assert.Equal(plain, await server.AskAsync(known.Body(("stream", true), ("tool_stream", true)), cancel));
        });
    }

    [Fact]
    public void The_reference_itself_is_read_right()
    {
        // So that the comparison above cannot pass by comparing nothing with nothing.
        SaidAnswer[] references = [.. KnownRequest.All.Select(known => known.Reference(server.Package))];
        Assert.Contains(references, answer => answer.Finish == "tool_calls" && answer.CallList.Count > 0);
        Assert.Contains(references, answer => answer.Finish == "length");
        Assert.Contains(references, answer => answer.Reasoning.Length > 0 && answer.Content.Length > 0);
        Assert.Equal(KnownRequest.All.Count(known => known.Row.Right), KnownRequest.All.Zip(references).Count(pair => pair.First.Row.Means(pair.Second.Content, pair.Second.CallList)));
    }

    /// <summary>Whether the answers part only after a step at which rounding may decide.</summary>
    private bool MayDiffer(KnownRequest known, SaidAnswer answer)
    {
        int step = Array.FindIndex(known.Row.Gaps, gap => gap < CertainGap);
        if (step < 0)
            return false;
        SaidAnswer shared = known.Reference(server.Package, step);
        return answer.Reasoning.StartsWith(shared.Reasoning, StringComparison.Ordinal)
            && answer.Content.StartsWith(shared.Content, StringComparison.Ordinal)
            && answer.Calls.StartsWith(shared.Calls, StringComparison.Ordinal);
    }
}
