using Glimmer.Server.Hosting;
using Glimmer.Server.Messages;

namespace Glimmer.Server.OpenAI;

/// <summary>Turns other vendors' model names into codes on the OpenAI base. There are no rules unless the settings give some.</summary>
internal sealed class OpenAIModelNames(GlimmerOptions options)
{
    private readonly ModelNames _names = new(options.OpenAIModelNames);

    /// <summary>The code that a name stands for.</summary>
    public string Resolve(string name) => _names.Resolve(name);
}
