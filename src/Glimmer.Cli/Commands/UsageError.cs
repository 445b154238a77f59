using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace Glimmer.Cli.Commands;

/// <summary>What is said about arguments that make no command.</summary>
internal static partial class UsageError
{
    /// <summary>The exit code for it.</summary>
    public const int ExitCode = 64;

    /// <summary>One line that names the argument and where to find the legal ones.</summary>
    public static string Of(ParseResult result)
    {
        List<string> path = [];
        for (SymbolResult? symbol = result.CommandResult; symbol is CommandResult command; symbol = command.Parent)
            path.Insert(0, command.Command is RootCommand ? "glimmer" : command.Command.Name);
        string name = string.Join(' ', path);
        // A word that nobody knows is the cause of what else is missing, so it is told rather than the rest.
        return Of(name, result.UnmatchedTokens is [var unknown, ..] ? $"Unrecognized command or argument '{unknown}'." : result.Errors[0].Message);
    }

    /// <summary>One line from what the parser says.</summary>
    /// <param name="name">The command.</param>
    /// <param name="message">The parser's words.</param>
    public static string Of(string name, string message)
    {
        message = ExpectedType().Replace(message.ReplaceLineEndings(" "), match => match.Groups["type"].Value switch
        {
            "Int32" or "Int64" => ": a whole number is expected.",
            "Double" => ": a number is expected.",
            _ => ".",
        });
        return $"{name}: {message} See {name} --help.";
    }

    // The parser names the type of the .NET property.
    [GeneratedRegex(@" as expected type '(?:System\.Nullable`1\[)?System\.(?<type>\w+)\]?'\.", RegexOptions.NonBacktracking)]
    private static partial Regex ExpectedType();
}
