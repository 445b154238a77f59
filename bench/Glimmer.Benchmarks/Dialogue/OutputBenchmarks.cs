using BenchmarkDotNet.Attributes;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Benchmarks.Dialogue;

/// <summary>Answers read token by token: the time of one token, and how many events come of them.</summary>
public class OutputBenchmarks
{
    private const int Tokens = 4096;
    private static readonly Generation _generation = Generations.ForName("glm-4.7");
    private readonly List<ChatEvent> _events = new(16);
    private int[] _answer = [];

    /// <summary>What most of the answer is.</summary>
    [Params("text", "calls")]
    public string Answer { get; set; } = "text";

    /// <summary>Writes the answer.</summary>
    [GlobalSetup]
    public void Begin()
    {
        const string Text = "The river rises in the hills, 三十公里 north of the town, and `turns` twice: first west, then south (see the map).\n";
        string body = Answer == "text" ? Text : $"<tool_call>{FlightFunction.Call}</tool_call>";
        string whole = string.Concat(Enumerable.Repeat(Text, 20)) + "</think>" + string.Concat(Enumerable.Repeat(body, Tokens));
        _answer = [.. RealVocabulary.Tokenizer.Encode(whole, recogniseAdded: true).Take(Tokens)];
        Console.WriteLine($"// {Read()} events from {_answer.Length} tokens");
    }

    /// <summary>Reads the answer; the time is that of one token.</summary>
    [Benchmark(OperationsPerInvoke = Tokens)]
    public int Read()
    {
        int count = 0;
        OutputAutomaton automaton = new(_generation, RealVocabulary.Tokenizer, new OutputOptions { Start = OutputStart.Reasoning, Tools = [FlightFunction.Tool("book_flight")] });
        foreach (int token in _answer)
        {
            _events.Clear();
            automaton.Feed(token, _events);
            count += _events.Count;
        }

        return count;
    }
}
