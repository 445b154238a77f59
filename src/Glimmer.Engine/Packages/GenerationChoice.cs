using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Loading;

namespace Glimmer.Engine.Packages;

/// <summary>
/// Finds the chat generation of a model: by what its published template says where the file carries one, else by its
/// architecture and the tokens it has.
/// </summary>
internal static class GenerationChoice
{
    /// <summary>The generation.</summary>
    /// <exception cref="ModelFileException">Nothing tells which it is; the message lists the names to choose from.</exception>
    public static Generation For(LoadedModel loaded, ITokenizer tokenizer)
    {
        string? template = loaded.Tokenizer.Metadata?.FindString("tokenizer.chat_template") ?? ReadTemplate(loaded.Tokenizer.Folder);
        string? name = (template is null ? null : ByTemplate(template)) ?? ByArchitecture(loaded.Description.Architecture, tokenizer);
        return name is not null
            ? Generations.ForName(name)
            : throw new ModelFileException(
                loaded.Weights.Location,
                $"nothing in the file says how to talk to it; name its generation: {string.Join(", ", Generations.All)}.");
    }

    /// <summary>Recognises a published template by the marks that set its generation apart, newest first.</summary>
    internal static string? ByTemplate(string template)
    {
        bool Has(string text) => template.Contains(text, StringComparison.Ordinal);
        bool media = Has("<|begin_of_image|>");
        if (Has("Reasoning Effort: "))
            return !Has("enable_thinking") ? media ? "glm-5.3-flash" : "glm-5.3" : "glm-5.2";
        if (Has("tool_reference") || Has("defer_loading"))
            return "glm-5.1";
        if (Has("<answer>"))
            return "glm-4.1v";
        if (Has("<tool_call>"))
        {
            // Up to 4.6 a line break stands between a role and its text.
            bool breaks = Has("<|user|>\\n") || Has("<|user|>\n");
            return !breaks ? "glm-4.7" : media ? "glm-4.5v" : "glm-4.5";
        }

        if (Has("<think>"))
            return "glm-z1";
        if (media)
            return "glm-ocr";
        if (Has("item['tools']") || Has("item.tools"))
            return "glm-4-9b-chat";
        return Has("[gMASK]<sop>") ? "glm-4-0414" : null;
    }

    private static string? ByArchitecture(string architecture, ITokenizer tokenizer) => architecture switch
    {
        "glm" or "chatglm" => tokenizer.VocabularySize < 100_000 ? "glm-edge" : "glm-4-9b-chat",
        "glm4" => "glm-4-0414",
        // 4.5 and 4.7 have the same architecture and vocabulary; the newer form is what 4.7, 4.7-Flash and 5 share.
        "glm4_moe" or "glm4_moe_lite" => "glm-4.7",
        "glm_moe_dsa" => "glm-5",
        "glm5_next" => "glm-5.3-flash",
        _ => null,
    };

    private static string? ReadTemplate(string? folder)
    {
        if (folder is null)
            return null;
        string file = Path.Combine(folder, "chat_template.jinja");
        return File.Exists(file) && new FileInfo(file).Length < 1 << 20 ? File.ReadAllText(file) : null;
    }
}
