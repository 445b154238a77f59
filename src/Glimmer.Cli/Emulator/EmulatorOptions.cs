using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Emulator;

/// <summary>How delays of a scenario pass.</summary>
internal enum DelayMode
{
    /// <summary>In real time.</summary>
    Real,

    /// <summary>By the emulator's clock: while it stands, answers wait until it is moved.</summary>
    Virtual,

    /// <summary>Not at all.</summary>
    None,
}

/// <summary>How an emulator runs.</summary>
/// <param name="Options">The platform's settings; its data folder counts where <see cref="KeepsData"/>.</param>
internal sealed record EmulatorOptions(GlimmerOptions Options)
{
    /// <summary>A key that is the same everywhere, for suites that need no secret: whoever has it can ask an emulator and nothing else.</summary>
    public const string WellKnownKey = "61d4c0de61d4c0de61d4c0de61d4c0de.EmulatorTestCredential00";

    /// <summary>The scenario's files, one after the other; none where answers are recorded without one.</summary>
    public IReadOnlyList<string> ScenarioPaths { get; init; } = [];

    /// <summary>What is played, for people.</summary>
    public string Title => ScenarioPaths.Count > 0 ? string.Join(" and ", ScenarioPaths) : Record ?? "";

    /// <summary>Whether the files are read again when they change.</summary>
    public bool Watch { get; init; }

    /// <summary>Whether the data folder was named and stays.</summary>
    public bool KeepsData { get; init; }

    /// <summary>A tokenizer to count with; null for the bundled model's.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Whether unknown requests and unmet expectations fail the process.</summary>
    public bool Strict { get; init; }

    /// <summary>Seed of everything that is random; null takes ids by chance and the seed 0 for the rest.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Where the clock stands; null for one that runs with the machine's.</summary>
    public DateTimeOffset? Clock { get; init; }

    /// <summary>How delays pass.</summary>
    public DelayMode Delays { get; init; }

    /// <summary>The credential of its key.</summary>
    public string Key { get; init; } = WellKnownKey;

    /// <summary>File that is written once it listens; null for none.</summary>
    public string? ReadyFile { get; init; }

    /// <summary>File that answers are recorded to; null records nothing.</summary>
    public string? Record { get; init; }

    /// <summary>The service that is asked while recording.</summary>
    public BackendDefinition? Upstream { get; init; }

    /// <summary>The backends that are asked in its place.</summary>
    public BackendSet? Upstreams { get; init; }
}
