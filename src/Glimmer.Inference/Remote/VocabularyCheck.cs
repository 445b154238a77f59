using System.Globalization;

namespace Glimmer.Inference.Remote;

/// <summary>Whether an engine's vocabulary is the one that its prompts are written in.</summary>
internal static class VocabularyCheck
{
    // Words, digits, spaces, code, Chinese, Japanese, Korean, Cyrillic, Arabic, accents and characters of four bytes: what splitters and merges differ in.
    private static readonly string[] _texts =
    [
        "The quick brown fox doesn't jump over 1234567890 lazy dogs.",
        "for (int i = 0; i < n; i++)\n{\n\treturn  x[i]->y != \"z\";\n}\n\n",
        "智谱清言是一个大语言模型，它能理解中文。",
        "東京は日本の首都です。안녕하세요, 세계!",
        "Съешь ещё этих мягких французских булок. مرحبا بالعالم",
        "Zażółć gęślą jaźń – naïve café ñ ß Ω ≈ 🙂👩‍👩‍👧‍👦 𝄞",
    ];

    /// <summary>Compares the tokens of some texts; gives a note when the engine cannot tell, else null.</summary>
    /// <exception cref="EngineException">They differ; the message says where.</exception>
    public static async Task<string?> CompareAsync(IEngineProtocol protocol, EngineTransport transport, string? name, RemoteModel model, CancellationToken cancel)
    {
        foreach (string text in _texts)
        {
            List<int> ours = [];
            model.Tokenizer.Encode(text, recogniseAdded: false, ours);
            if (await protocol.TokenizeAsync(transport, name, text, cancel).ConfigureAwait(false) is not { } theirs)
                return "it has no /tokenize, so the vocabularies were not compared";
            if (!ours.SequenceEqual(theirs))
            {
                int at = ours.Zip(theirs).TakeWhile(static pair => pair.First == pair.Second).Count();
                throw EngineException.Failed(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The engine's vocabulary is not that of the tokenizer given for {model.Definition.Code}: it makes {theirs.Length} tokens of '{EngineTransport.OneLine(text)}' where {ours.Count} were expected, different from token {at} on ({Show(theirs, at)} where {Show(ours, at)} was expected)."));
            }
        }

        return null;
    }

    private static string Show(IReadOnlyList<int> tokens, int at) => at < tokens.Count ? tokens[at].ToString(CultureInfo.InvariantCulture) : "the end";
}
