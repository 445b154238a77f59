namespace Glimmer.Cli.Golden;

/// <summary>One comparison with the reference.</summary>
/// <param name="Name">What was compared: <c>hidden.3</c>, <c>logits</c>, <c>greedy</c>, a row's id …</param>
/// <param name="Difference">Largest absolute difference; for exact things the number of mismatches.</param>
/// <param name="Allowed">Bound; 0 for exact things.</param>
/// <param name="Detail">Where it differs, when it does.</param>
public sealed record GoldenCheck(string Name, double Difference, double Allowed, string? Detail = null)
{
    /// <summary>Whether the bound is kept. NaN never is.</summary>
    public bool Passed => Difference <= Allowed;
}

/// <summary>Runs folders of one form of golden data against this build, so that a new case needs no code.</summary>
public interface IGoldenArea
{
    /// <summary>Short name: <c>text</c>, <c>gguf</c>, <c>quants</c>, <c>tokenizer</c>, <c>dialogue</c>, <c>grammar</c>, <c>tasks</c> …</summary>
    string Name { get; }

    /// <summary>Whether folders below one of this form may be cases of their own; otherwise they belong to it.</summary>
    bool HoldsOtherCases => false;

    /// <summary>Whether the folder holds data of this form (judged by its files, not by its name).</summary>
    bool Recognises(string folder);

    /// <summary>Runs the folder and yields its checks. A case that cannot be loaded is a failed check, not an exception.</summary>
    IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel);
}
