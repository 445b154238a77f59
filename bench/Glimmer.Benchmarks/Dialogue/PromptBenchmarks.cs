using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Testing;

namespace Glimmer.Benchmarks.Dialogue;

/// <summary>
/// A history of a hundred thousand tokens (this repository's code and pages, and texts in many scripts), rendered and encoded:
/// from nothing, and when all but the last turn is known.
/// </summary>
public class PromptBenchmarks : IWorkload
{
    private const int HistoryTokens = 100_000;
    private const int TurnChars = 1500;
    private static readonly Generation _generation = Generations.ForName("glm-4.7");
    private static long _bytes;
    private readonly List<ChatMessage> _history = [];
    private PromptCache? _cache;
    private int _turn;

    /// <summary>Whether all but the last turn is known.</summary>
    [Params(false, true)]
    public bool Known { get; set; }

    /// <inheritdoc/>
    /// <remarks>Bytes of the text that is encoded from nothing; a known history is not read again.</remarks>
    public static Work Describe(ParameterInstances parameters) => new((bool)parameters[nameof(Known)] ? 0 : _bytes, 0);

    /// <summary>Writes the history and, when it is to be known, renders it once.</summary>
    [GlobalSetup]
    public void Begin()
    {
        _history.Clear();
        var random = new Random(1);
        string[] texts = [.. Texts().OrderBy(_ => random.Next())];
        _bytes = 0;
        for (int tokens = 0, i = 0; tokens < HistoryTokens; i++)
        {
            string text = texts[i % texts.Length];
            tokens += RealVocabulary.Tokenizer.Encode(text, recogniseAdded: false).Count;
            _bytes += Encoding.UTF8.GetByteCount(text);
            _history.Add(ChatMessage.OfText(i % 2 == 0 ? ChatRole.User : ChatRole.Assistant, text));
        }

        if (_history.Count % 2 == 1)
            _history.RemoveAt(_history.Count - 1);
        _cache = Known ? new PromptCache(RealVocabulary.Tokenizer, 4 * HistoryTokens) : null;
        Console.WriteLine($"// {_history.Count} messages, {_bytes} bytes, {Prompt()} tokens");
    }

    /// <summary>Renders the history with a last turn that was never seen.</summary>
    [Benchmark]
    public int Prompt()
    {
        ChatMessage last = ChatMessage.OfText(ChatRole.User, $"And now, for the {++_turn}th time: please change the second function so that it no longer allocates, and say why that is enough.");
        RenderResult result = _generation.Render(new Conversation([.. _history, last], [], new RenderOptions { EnableThinking = true }), RealVocabulary.Tokenizer, _cache);
        return result.Prompt!.Tokens.Length;
    }

    private static IEnumerable<string> Texts()
    {
        foreach (string folder in (string[])["docs", "src/Glimmer.Dialogue", "src/Glimmer.Engine"])
        {
            foreach (string path in Directory.EnumerateFiles(Path.Combine(Fixtures.RepositoryRoot, folder), "*.*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                if (path.EndsWith(".md", StringComparison.Ordinal) || (path.EndsWith(".cs", StringComparison.Ordinal) && !path.Contains("/obj/", StringComparison.Ordinal)))
                    foreach (char[] turn in File.ReadAllText(path).Chunk(TurnChars))
                        yield return new string(turn);
            }
        }

        foreach (string line in File.ReadLines(Fixtures.Path("tokenizer", "real-glm4", "encode.jsonl")))
            yield return JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!;
    }
}
