using System.Globalization;

namespace Glimmer.Compare;

/// <summary>The command line.</summary>
internal sealed record ComparisonOptions
{
    public const string Usage = """
        usage: Glimmer.Compare --glimmer PATH/glimmer.dll --models FOLDER --plan FILE [options]
          --llama FOLDER      llama.cpp's binaries (llama-bench, llama-server); default: GLIMMER_PEER_LLAMA
          --ik FOLDER         ik_llama.cpp's binaries; default: GLIMMER_PEER_IK
          --set KEY=VALUE     a setting of Glimmer, may be repeated
          --packed FOLDER     where Glimmer keeps rearranged weights in a second start measure; it is filled before
          --version NAME=TEXT what the report says of a contender, instead of what its program says
          --cores 2,3         cores of the contenders; a step with n threads takes the first n
          --launcher PROGRAM  starts the contenders instead of taskset; it is given the program and its arguments
          --minutes N         begin no more rounds after that time; default: no limit
          --limit SECONDS     longest time of one bench program; default: 300
          --out FOLDER        where report.md, report.svg and samples.json go; default: .
        """;

    public string Glimmer { get; init; } = "";

    public string Models { get; init; } = ".";

    public string Plan { get; init; } = "";

    public string? Llama { get; init; } = Environment.GetEnvironmentVariable("GLIMMER_PEER_LLAMA");

    public string? Ik { get; init; } = Environment.GetEnvironmentVariable("GLIMMER_PEER_IK");

    public IReadOnlyList<string> Settings { get; init; } = [];

    public string? Packed { get; init; }

    public IReadOnlyList<(string Name, string Text)> Versions { get; init; } = [];

    public IReadOnlyList<int> Cores { get; init; } = [];

    public string? Launcher { get; init; }

    public TimeSpan Time { get; init; } = TimeSpan.MaxValue;

    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(300);

    public string Out { get; init; } = ".";

    /// <summary>Reads the command line.</summary>
    /// <exception cref="FormatException">An argument is wrong; the message names it.</exception>
    public static ComparisonOptions Parse(IReadOnlyList<string> arguments)
    {
        ComparisonOptions options = new();
        for (int i = 0; i < arguments.Count; i += 2)
        {
            string name = arguments[i];
            if (i + 1 >= arguments.Count)
                throw new FormatException($"{name} needs a value");
            string value = arguments[i + 1];
            options = name switch
            {
                "--glimmer" => options with { Glimmer = Existing(name, value) },
                "--models" => options with { Models = value },
                "--plan" => options with { Plan = Existing(name, value) },
                "--llama" => options with { Llama = value },
                "--ik" => options with { Ik = value },
                "--set" => options with { Settings = [.. options.Settings, value] },
                "--packed" => options with { Packed = Path.GetFullPath(value) },
                "--version" when value.Split('=', 2) is [var contender, var text] => options with { Versions = [.. options.Versions, (contender, text)] },
                "--cores" => options with { Cores = [.. value.Split(',').Select(part => Whole(name, part))] },
                "--launcher" => options with { Launcher = value },
                "--minutes" => options with { Time = TimeSpan.FromMinutes(Whole(name, value)) },
                "--limit" => options with { Limit = TimeSpan.FromSeconds(Whole(name, value)) },
                "--out" => options with { Out = value },
                _ => throw new FormatException($"{name} is not an option"),
            };
        }

        return options.Glimmer.Length > 0 && options.Plan.Length > 0 ? options : throw new FormatException("--glimmer and --plan are needed");
    }

    private static string Existing(string name, string path) => File.Exists(path) ? Path.GetFullPath(path) : throw new FormatException($"{name} {path}: no such file");

    private static int Whole(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : throw new FormatException($"{name} {text}: not a whole number");
}
