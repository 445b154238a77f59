using System.Text;

namespace Glimmer.Dialogue.Generations;

/// <summary>What a model's generation was told by.</summary>
public enum GenerationEvidence
{
    /// <summary>The chat template in the model's files.</summary>
    Template,

    /// <summary>The model's name.</summary>
    Name,

    /// <summary>The architecture, which several generations share.</summary>
    Architecture,

    /// <summary>Nothing: it is the default.</summary>
    Default,
}

/// <summary>Which generation a model belongs to.</summary>
/// <param name="Generation">The generation.</param>
/// <param name="Evidence">What it was told by.</param>
public readonly record struct GenerationChoice(Generation Generation, GenerationEvidence Evidence)
{
    /// <summary>The generation where nothing says which.</summary>
    public const string DefaultName = "glm-4.7";

    // Names with everything but letters and digits taken out, the more particular ones first.
    private static readonly (string Part, string Generation)[] Names =
    [
        ("glm53flash", "glm-5.3-flash"), ("glm53", "glm-5.3"), ("glm52", "glm-5.2"), ("glm51", "glm-5.1"), ("glm5", "glm-5"),
        ("glm45v", "glm-4.5v"), ("glm46v", "glm-ocr"), ("glmocr", "glm-ocr"), ("glm41v", "glm-4.1v"), ("glm47", "glm-4.7"),
        ("glm46", "glm-4.5"), ("glm45", "glm-4.5"), ("glmasr", "glm-asr"), ("glm4voice", "glm-4-voice"), ("glmz1", "glm-z1"), ("glmedge", "glm-edge"), ("glm40414", "glm-4-0414"),
        ("0414", "glm-4-0414"), ("glm49b", "glm-4-9b-chat"), ("chatglm4", "glm-4-9b-chat"), ("glimmertiny", "glm-4.7"),
    ];

    private static readonly (string Architecture, string Generation)[] Architectures =
    [
        ("glm4moelite", "glm-4.7"), ("glm4moe", "glm-4.7"), ("deepseek2", "glm-4.7"), ("glmmoedsa", "glm-5"), ("glmdsa", "glm-5"),
        ("glm5next", "glm-5.3-flash"), ("glm4vmoe", "glm-4.5v"), ("glm4v", "glm-4.1v"), ("glmocr", "glm-ocr"), ("glmasr", "glm-asr"),
        ("glmedge", "glm-edge"), ("glm4", "glm-4-0414"), ("chatglm", "glm-4-9b-chat"), ("glm", "glm-4-9b-chat"),
    ];

    /// <summary>Tells a model's generation by its chat template, then its name, then its architecture, else by the default.</summary>
    /// <param name="architecture">The architecture as GGUF or <c>config.json</c> spells it; null when unknown.</param>
    /// <param name="chatTemplate">The published chat template; null when there is none.</param>
    /// <param name="name">The model's name or its file's; null when unknown.</param>
    public static GenerationChoice ForModel(string? architecture, string? chatTemplate, string? name)
    {
        string? named = Names.FirstOrDefault(row => Letters(name).Contains(row.Part, StringComparison.Ordinal)).Generation;
        if (ByTemplate(chatTemplate ?? "", named) is { } template)
            return new(Generations.ForName(template), GenerationEvidence.Template);
        if (named is not null)
            return new(Generations.ForName(named), GenerationEvidence.Name);
        string? family = Architectures.FirstOrDefault(row => string.Equals(row.Architecture, Letters(architecture), StringComparison.Ordinal)).Generation;
        return family is null
            ? new(Generations.ForName(DefaultName), GenerationEvidence.Default)
            : new(Generations.ForName(family), GenerationEvidence.Architecture);
    }

    // Each test names what that generation's template says and no earlier one does.
    private static string? ByTemplate(string template, string? named)
    {
        bool Has(string part) => template.Contains(part, StringComparison.Ordinal);
        bool media = Has("<|begin_of_image|>");
        if (Has("Reasoning Effort: "))
            return Has("'low'") || Has("\"low\"") ? media ? "glm-5.3-flash" : "glm-5.3" : "glm-5.2";
        if (Has("tool_reference") || Has("defer_loading"))
            return "glm-5.1";
        if (Has("clear_thinking"))
            return named == "glm-5" ? "glm-5" : "glm-4.7";
        if (media && Has("<tool_call>"))
            return named == "glm-4.5v" ? "glm-4.5v" : "glm-ocr";
        if (media && Has("<|assistant|>"))
            return "glm-4.1v";
        if (Has("/nothink"))
            return "glm-4.5";
        if (Has("可用工具"))
            return Has("<think>") ? "glm-z1" : Has("ChatGLM") ? "glm-4-9b-chat" : "glm-4-0414";
        return Has("<|assistant|>") && Has("<|user|>") && !Has("[gMASK]") && named is null ? "glm-edge" : null;
    }

    private static string Letters(string? text)
    {
        StringBuilder letters = new();
        foreach (char c in text ?? "")
        {
            if (char.IsAsciiLetterOrDigit(c))
                letters.Append(char.ToLowerInvariant(c));
        }

        return letters.ToString();
    }
}
