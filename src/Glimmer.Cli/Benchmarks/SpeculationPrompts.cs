using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Engine.Packages;

namespace Glimmer.Cli.Benchmarks;

/// <summary>Prompts that differ in how well their answers can be guessed.</summary>
internal static class SpeculationPrompts
{
    private static readonly string[] Questions =
    [
        "Who are you?",
        "Write a short poem about the autumn.",
        "List the months of the year.",
        "Explain this code: `for i in range(10): print(i)`",
        "Tell me a story about a brave squirrel.",
        "What is the capital of France?",
        "Write step-by-step instructions to wash your hands.",
        "Give me 5 ideas for a rainy day.",
    ];

    private static readonly string[] Records =
    [
        "The library of Ravenstead stays open until ten in the evening. About 264 people use it every day.",
        "def total(items):\n    result = 0\n    for item in items:\n        result += item.price * item.count\n    return result\n",
        "{\"name\": \"Wavenova\", \"version\": 47, \"files\": [\"budget_v2.xml\", \"invoice_2025.html\"], \"public\": false}",
        "1. JMB040 - printer - 487\n2. JB-8454 - speaker - 334\n3. B64-TK03 - notebook - 454\n4. FZAZ-83 - vacuum - 246\n",
    ];

    /// <summary>Questions of a chat, and texts that say the same again and again, where looking back in the text pays.</summary>
    public static IReadOnlyList<SpeculationScenario.Kind> For(ModelPackage package) =>
    [
        new("chat", index => Chat(package, Questions[index % Questions.Length])),
        new("copy", index => Copy(package, Records[index % Records.Length], index)),
    ];

    private static int[] Chat(ModelPackage package, string question)
    {
        Conversation conversation = new([ChatMessage.OfText(ChatRole.User, question)], [], new RenderOptions());
        return package.Generation.Render(conversation, package.Tokenizer).Prompt!.Tokens;
    }

    private static int[] Copy(ModelPackage package, string text, int index)
    {
        List<int> record = [];
        package.Tokenizer.Encode($"{text}\n#{index}\n", recogniseAdded: false, record);
        return [.. record, .. record, .. record, .. record.Take(3)];
    }
}
