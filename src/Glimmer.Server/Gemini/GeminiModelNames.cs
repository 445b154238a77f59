using Glimmer.Server.Hosting;
using Glimmer.Server.Messages;

namespace Glimmer.Server.Gemini;

/// <summary>Turns other vendors' model names into codes in Gemini's dialect.</summary>
internal sealed class GeminiModelNames(GlimmerOptions options)
{
    /// <summary>Rules where the settings give none.</summary>
    public const string DefaultRules = "gemini-embedding*=embedding-3;text-embedding-0*=embedding-3;gemini*flash*=glm-4.5-air;gemini*=glm-4.7";

    private readonly ModelNames _names = new(options.GeminiModelNames);

    /// <summary>The code that a name of a path stands for.</summary>
    public string Resolve(string name) => _names.Resolve(name);
}
