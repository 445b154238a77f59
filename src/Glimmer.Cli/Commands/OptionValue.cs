using System.CommandLine.Parsing;

namespace Glimmer.Cli.Commands;

/// <summary>Reads the value of an option while it is being checked.</summary>
internal static class OptionValue
{
    /// <summary>The value; the type's default when the text is no value at all, which the parser then tells by itself.</summary>
    public static T? Checked<T>(this OptionResult result)
    {
        try
        {
            return result.GetValueOrDefault<T>();
        }
        catch (InvalidOperationException)
        {
            return default;
        }
    }
}
