using BenchmarkDotNet.Attributes;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Generations;

namespace Glimmer.Benchmarks.Dialogue;

/// <summary>A demanded call of a function: the grammar made, and a whole call walked with a mask for every token.</summary>
public class GrammarBenchmarks
{
    private readonly CallGrammar _grammar = new();
    private CompiledConstraint? _known;
    private int _names;

    /// <summary>Makes the tables of the vocabulary and one grammar whose masks are all made.</summary>
    [GlobalSetup]
    public void Begin()
    {
        _known = _grammar.Compile("book_flight");
        Console.WriteLine($"// {Known()} tokens in the call");
    }

    /// <summary>The grammar of a function never seen before.</summary>
    [Benchmark]
    public CompiledConstraint Compile() => _grammar.Compile($"book_flight_{++_names}");

    /// <summary>A call with a grammar never seen before: it is made, then every mask of the call for the first time.</summary>
    [Benchmark]
    public int New() => _grammar.Walk(_grammar.Compile("book_flight", $"{++_names}"));

    /// <summary>A call with a grammar that was used before.</summary>
    [Benchmark]
    public int Known() => _grammar.Walk(_known!);
}

/// <summary>The mask of one token in the usual states of a call.</summary>
public class MaskBenchmarks
{
    private static readonly Dictionary<string, string> _written = new(StringComparer.Ordinal)
    {
        ["start"] = "",
        ["name"] = "<tool_call>",
        ["key"] = "<tool_call>book_flight<arg_key>",
        ["text"] = "<tool_call>book_flight<arg_key>origin</arg_key><arg_value>Ham",
        ["number"] = "<tool_call>book_flight<arg_key>passengers</arg_key><arg_value>1",
        ["word"] = "<tool_call>book_flight<arg_key>cabin</arg_key><arg_value>",
        ["json"] = "<tool_call>book_flight<arg_key>extras</arg_key><arg_value>[{\"name\": \"bi",
    };

    private readonly CallGrammar _grammar = new();
    private GrammarConstraint? _constraint;
    private int _names;

    /// <summary>What comes next in the call.</summary>
    [Params("start", "name", "key", "text", "number", "word", "json")]
    public string Next { get; set; } = "";

    /// <summary>Goes to the state.</summary>
    [GlobalSetup]
    public void Begin() => _constraint = Reach(_grammar.Compile("book_flight"));

    /// <summary>Writes a mask that was made before.</summary>
    [Benchmark]
    public bool Again() => _constraint!.FillMask(_grammar.Mask);

    /// <summary>The first mask of a grammar never seen before; the time of <see cref="GrammarBenchmarks.Compile"/> is part of this one.</summary>
    [Benchmark]
    public bool First() => Reach(_grammar.Compile("book_flight", $"{++_names}")).FillMask(_grammar.Mask);

    private GrammarConstraint Reach(CompiledConstraint compiled)
    {
        GrammarConstraint constraint = compiled.Start();
        foreach (int token in RealVocabulary.Tokenizer.Encode(_written[Next], recogniseAdded: true))
            constraint.Accept(token);
        return constraint;
    }
}

/// <summary>Grammars of calls over the published vocabulary.</summary>
internal sealed class CallGrammar
{
    private static readonly Generation _generation = Generations.ForName("glm-4.7");
    private readonly ConstraintCompiler _compiler = new(RealVocabulary.Tokenizer, [.. _generation.StopTokens(RealVocabulary.Tokenizer)]);
    private readonly ToolCallLayout _layout = ToolCallLayout.Of(_generation.Output, RealVocabulary.Tokenizer);

    public CallGrammar() => Mask = new uint[_compiler.MaskWords];

    /// <summary>Room for a mask.</summary>
    public uint[] Mask { get; }

    /// <summary>The tokens of a call and of the end of its turn.</summary>
    public int[] Call { get; } = [.. RealVocabulary.Tokenizer.Encode($"<tool_call>{FlightFunction.Call}</tool_call><|observation|>", recogniseAdded: true)];

    /// <summary>The grammar of one call of a function.</summary>
    /// <param name="name">The function.</param>
    /// <param name="key">What makes the demand another one for the compiler's memory.</param>
    public CompiledConstraint Compile(string name, string key = "") => _compiler.Tools(
        _layout,
        new ToolCallDemand { Tools = [FlightFunction.Tool(name)], Mode = ToolCallMode.Required, Parallel = false, AnswerKey = key },
        AnswerPreamble.None).Constraint!;

    /// <summary>Makes a mask for every token of the call and takes the token; returns how many there are.</summary>
    public int Walk(CompiledConstraint compiled)
    {
        GrammarConstraint constraint = compiled.Start();
        foreach (int token in Call)
        {
            constraint.FillMask(Mask);
            if (!HasBit(token))
                throw new InvalidOperationException($"The token {token} of the call is not allowed.");
            constraint.Accept(token);
        }

        return Call.Length;
    }

    private bool HasBit(int token) => (Mask[token >> 5] >> (token & 31) & 1) != 0;
}
