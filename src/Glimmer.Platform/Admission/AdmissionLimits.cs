namespace Glimmer.Platform.Admission;

/// <summary>Bounds of <see cref="FairAdmission"/>.</summary>
/// <param name="Open">Most requests in flight altogether, at least 1.</param>
/// <param name="OpenPerKey">Most requests in flight of one key, at least 1.</param>
/// <param name="Line">Most requests that wait altogether; 0 refuses at once.</param>
/// <param name="LinePerAccount">Most requests of one account that wait.</param>
/// <param name="Patience">How long one waits at most.</param>
public sealed record AdmissionLimits(int Open, int OpenPerKey, int Line, int LinePerAccount, TimeSpan Patience);
