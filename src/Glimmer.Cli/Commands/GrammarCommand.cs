using System.CommandLine;
using System.Diagnostics;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer grammar FILE [TEXT…]</c>: what a schema, regular expression or grammar lets a model say.</summary>
internal static class GrammarCommand
{
    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "JSON schema (.json), grammar in GBNF notation (.gbnf), a file of schemas with texts (.jsonl: objects with schema, and optionally name, valid and invalid), or with --regex the expression itself." };
        Argument<string[]> texts = new("TEXT") { Description = "Texts to try.", Arity = ArgumentArity.ZeroOrMore };
        Option<bool> regex = new("--regex") { Description = "FILE is a regular expression, not a file." };
        Option<bool> strict = new("--strict") { Description = "A keyword that cannot be enforced is an error." };
        Option<bool> masks = new("--masks") { Description = "Show for every token of a text how many tokens were allowed and how long the mask took." };
        Option<string?> tokenizer = new("--tokenizer") { Description = "tokenizer.json or its folder. Default: that of the model." };
        Option<string?> model = ModelOption.Create();
        Command command = new("grammar", "Say what a schema or grammar lets a model say, and what it costs.") { file, texts, regex, strict, masks, tokenizer, model };
        command.SetAction(result =>
        {
            try
            {
                using ModelPackage? package = result.GetValue(tokenizer) is null
                    ? LocalModel.LoadForText(EngineSettings.Read(Settings.Read(("Model:Path", result.GetValue(model)))))
                    : null;
                Tokenizer vocabulary = package?.Tokenizer ?? TokenizerFiles.Open(result.GetValue(tokenizer)!);
                HashSet<int> stops = [];
                foreach (string name in (string[])["<|endoftext|>", "<|user|>", "<|observation|>"])
                {
                    if (vocabulary.TryGetAdded(name, out int id))
                        stops.Add(id);
                }

                string source = result.GetValue(file)!;
                ConstraintCompiler compiler = new(vocabulary, package?.StopTokens.ToHashSet() ?? stops);
                if (!result.GetValue(regex) && source.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase))
                    return GrammarRows.Run(JsonInput.ReadLines(source), compiler, result.GetValue(strict));
                return Run(compiler, vocabulary, source, result.GetValue(regex), result.GetValue(strict), result.GetValue(texts) ?? [], result.GetValue(masks));
            }
            catch (Exception fault) when (fault is JsonSchemaException or GrammarSyntaxException || JsonInput.IsUsersFault(fault))
            {
                Console.Error.WriteLine($"grammar: {fault.Message}");
                return 65;
            }
        });
        return command;
    }

    private static int Run(ConstraintCompiler compiler, Tokenizer vocabulary, string file, bool regex, bool strict, string[] texts, bool masks)
    {
        string source = regex ? file : File.ReadAllText(file, Encoding.UTF8);
        bool gbnf = !regex && file.EndsWith(".gbnf", StringComparison.OrdinalIgnoreCase);
        long start = Stopwatch.GetTimestamp();
        JsonElement? schema = null;
        CompiledConstraint constraint;
        if (regex)
        {
            constraint = compiler.Regex(source, AnswerPreamble.None);
        }
        else if (gbnf)
        {
            constraint = compiler.Gbnf(source, AnswerPreamble.None);
        }
        else
        {
            schema = JsonInput.Parse(source);
            SchemaCompilation compiled = compiler.JsonSchema(schema.Value, strict, AnswerPreamble.None);
            foreach (UnsupportedKeyword keyword in compiled.Unsupported)
                Console.WriteLine($"not enforced: {keyword}");
            if (compiled.Constraint is null)
            {
                Console.Error.WriteLine("grammar: the schema uses keywords that cannot be enforced, and --strict was asked for.");
                return 1;
            }

            constraint = compiled.Constraint;
        }

        Console.WriteLine($"compiled in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0.00} ms (the first time includes the vocabulary's tables)");
        ShowMask(constraint.Start(), compiler.MaskWords);
        if (texts.Length == 0)
            return 0;
        TextGrammar grammar = schema is { } json ? TextGrammar.JsonSchema(json, out _) : regex ? TextGrammar.Regex(source) : TextGrammar.Gbnf(source);
        JsonSchemaValidator? validator = schema is { } checkedBy ? new JsonSchemaValidator(checkedBy) : null;
        bool all = true;
        foreach (string text in texts)
        {
            all &= Try(grammar, validator, text);
            if (masks)
                ShowMasks(constraint.Start(), vocabulary, compiler.MaskWords, text);
        }

        return all ? 0 : 1;
    }

    private static void ShowMask(GrammarConstraint constraint, int words)
    {
        uint[] mask = new uint[words];
        long start = Stopwatch.GetTimestamp();
        bool limited = constraint.FillMask(mask);
        Console.WriteLine($"at the start {(limited ? $"{mask.Sum(word => BitOperations.PopCount(word))} tokens are" : "every token is")} allowed; the mask took {Stopwatch.GetElapsedTime(start).TotalMicroseconds:0} µs");
    }

    private static bool Try(TextGrammar grammar, JsonSchemaValidator? validator, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        bool accepted = grammar.Accepts(bytes);
        int stop = accepted ? bytes.Length : LongestPrefix(grammar, bytes);
        Console.WriteLine($"{text}\n  {(accepted ? "can be said" : stop == bytes.Length ? "incomplete: more must follow" : $"stops at byte {stop}, after: {Encoding.UTF8.GetString(bytes, 0, stop)}")}");
        if (validator is not null)
            ShowViolations(validator, text);
        return accepted;
    }

    // A prefix of an acceptable prefix is acceptable, so the longest one is found by halving.
    private static int LongestPrefix(TextGrammar grammar, byte[] bytes)
    {
        int low = 0, high = bytes.Length;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (grammar.AcceptsPrefix(bytes.AsSpan(0, middle)))
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    private static void ShowViolations(JsonSchemaValidator validator, string text)
    {
        try
        {
            foreach (SchemaViolation violation in validator.Validate(JsonInput.Parse(text)))
                Console.WriteLine($"  as a value: {violation.InstancePointer}: {violation.Message} ({violation.Keyword})");
        }
        catch (JsonException fault)
        {
            Console.WriteLine($"  not JSON: {fault.Message}");
        }
    }

    private static void ShowMasks(GrammarConstraint walk, Tokenizer vocabulary, int words, string text)
    {
        uint[] mask = new uint[words];
        foreach (int token in vocabulary.Encode(text, recogniseAdded: false))
        {
            long start = Stopwatch.GetTimestamp();
            bool limited = walk.FillMask(mask);
            double microseconds = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            Console.WriteLine($"  {(limited ? mask.Sum(word => BitOperations.PopCount(word)) : vocabulary.VocabularySize),7} allowed {microseconds,8:0.0} µs   {Encoding.UTF8.GetString(vocabulary.BytesOf(token))}");
            if (!walk.TryAccept(token))
                return;
        }
    }
}
