using Glimmer.Platform.Admission;
using Glimmer.Platform.Ledger;
using Glimmer.Server.Answers;
using Glimmer.Server.Emulator;

namespace Glimmer.Server.Hosting;

/// <summary>What an embedder may replace.</summary>
public sealed record GlimmerServices
{
    /// <summary>Clock of everything.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where log lines go; null for JSON on standard error.</summary>
    public ILoggerProvider? Logs { get; init; }

    /// <summary>Decides who may run now; null for a fair line with the bounds of the options.</summary>
    public IAdmission? Admission { get; init; }

    /// <summary>Knows what keys may do and who pays; null for the accounts of the store.</summary>
    public ICallerPolicy? Callers { get; init; }

    /// <summary>
    /// Credential (<c>id.secret</c>) of an operator's key that the server shall have, in place of one made by chance at the first start; for tests, which then need
    /// not read it. Null for none.
    /// </summary>
    public string? FixedKey { get; init; }

    /// <summary>Seed of the ids that answers carry, for tests that compare them; null takes them by chance. What must be secret is by chance in any case.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Makes the server a test double; null for none.</summary>
    public Emulation? Emulation { get; init; }
}
