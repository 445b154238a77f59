using Glimmer.Models;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Greedy speculative decoding in its plainest form: draft k tokens with the model's own layer, let the trunk verify
/// them in one pass, keep the longest agreeing beginning and the trunk's next token.
/// </summary>
internal sealed class SpeculativeRun(GoldenModel run, int k)
{
    private readonly int _hidden = run.Model.Description.HiddenSize;
    private float[] _states = []; // trunk states of the last verified positions, those the draft layer has not seen
    private int _draftRows; // rows of the draft layer that were computed from trunk states

    /// <summary>Prompt and everything emitted.</summary>
    public List<int> Tokens { get; } = [];

    /// <summary>Drafts of all rounds.</summary>
    public List<int> Drafted { get; } = [];

    /// <summary>Drafts accepted, per round.</summary>
    public List<int> Accepted { get; } = [];

    /// <summary>Tokens emitted per round, k+1 places each, −1 where fewer.</summary>
    public List<int> Emitted { get; } = [];

    /// <summary>Logits the drafts of the first round were taken from.</summary>
    public float[] FirstChain { get; private set; } = [];

    /// <summary>Runs the prompt and takes the first token.</summary>
    public void Start(int[] prompt)
    {
        Tokens.AddRange(prompt);
        run.Batch.Clear();
        run.Batch.KeepHidden = true;
        run.Add(0, prompt, 0, LogitsWanted.Last);
        run.Run();
        _states = run.Batch.Hidden(0, 0, prompt.Length, _hidden).ToArray();
        Tokens.Add(GoldenModel.ArgMax(run.Batch.Logits(0, 0, run.Vocabulary)));
    }

    /// <summary>Drafts, verifies and emits once.</summary>
    public void Round()
    {
        int[] drafts = Draft();
        Drafted.AddRange(drafts);
        int position = Tokens.Count - 1;
        run.Batch.Clear();
        run.Add(0, (int[])[Tokens[^1], .. drafts], position, LogitsWanted.All);
        run.Run();
        int accepted = 0;
        while (true)
        {
            int token = GoldenModel.ArgMax(run.Batch.Logits(0, accepted, run.Vocabulary));
            Tokens.Add(token);
            Emitted.Add(token);
            if (accepted == k || token != drafts[accepted])
                break;
            accepted++;
        }

        Accepted.Add(accepted);
        Emitted.AddRange(Enumerable.Repeat(-1, k - accepted));
        _states = run.Batch.Hidden(0, 0, accepted + 1, _hidden).ToArray();
    }

    private int[] Draft()
    {
        int[] drafts = new int[k];
        List<float> chain = [];
        int fresh = Tokens.Count - 1 - _draftRows;
        int[] next = [.. Tokens.Skip(_draftRows + 1)];
        ReadOnlyMemory<float> states = _states;
        int position = _draftRows;
        for (int i = 0; i < k; i++)
        {
            run.Batch.Clear();
            run.Add(0, next, position, LogitsWanted.Last, states);
            run.RunDraft();
            Span<float> logits = run.Batch.Logits(0, 0, run.Vocabulary);
            chain.AddRange(logits.ToArray());
            drafts[i] = GoldenModel.ArgMax(logits);
            states = run.Batch.Hidden(0, next.Length - 1, 1, _hidden).ToArray();
            position += next.Length;
            next = [drafts[i]];
        }

        _draftRows += fresh;
        if (FirstChain.Length == 0)
            FirstChain = [.. chain];
        return drafts;
    }
}
