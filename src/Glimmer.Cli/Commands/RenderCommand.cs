using System.CommandLine;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer render conversation.json</c>: the prompt that a model would read.</summary>
internal static class RenderCommand
{
    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "JSON with messages, and optionally tools and options (a chat request's body will do); a .jsonl file has one per line; - is standard input." };
        Option<string> generation = GenerationOption();
        Option<bool> ids = new("--ids") { Description = "Print token ids." };
        Option<bool> tokens = new("--tokens") { Description = "Print the tokens with control tokens marked." };
        Option<string?> tokenizer = new("--tokenizer") { Description = "tokenizer.json or its folder for --ids and --tokens. Default: that of the model." };
        Option<string?> model = ModelOption.Create();
        Option<bool> json = new("--json") { Description = "Print one JSON object per conversation." };
        Command command = new("render", "Show the prompt that a model would read.") { file, generation, ids, tokens, tokenizer, model, json };
        command.SetAction(result =>
        {
            try
            {
                Generation form = Generations.ForName(result.GetValue(generation)!);
                bool asIds = result.GetValue(ids), asTokens = result.GetValue(tokens);
                using ModelPackage? package = (asIds || asTokens) && result.GetValue(tokenizer) is null
                    ? LocalModel.LoadForText(EngineSettings.Read(Settings.Read(("Model:Path", result.GetValue(model)))))
                    : null;
                Tokenizer? reader = asIds || asTokens ? package?.Tokenizer ?? TokenizerFiles.Open(result.GetValue(tokenizer)!) : null;
                bool good = true;
                foreach (JsonElement conversation in JsonInput.Read(result.GetValue(file)!))
                    good &= Render(conversation, form, reader, asIds, result.GetValue(json));
                return good ? 0 : 1;
            }
            catch (Exception fault) when (JsonInput.IsUsersFault(fault))
            {
                Console.Error.WriteLine($"render: {fault.Message}");
                return 65;
            }
        });
        return command;
    }

    /// <summary>The option that names a chat format.</summary>
    internal static Option<string> GenerationOption()
    {
        Option<string> generation = new("--generation", "-g") { Description = $"Chat format: {string.Join(", ", Generations.All.Select(form => form.Name))}.", DefaultValueFactory = _ => "glm-4.7" };
        generation.Validators.Add(result =>
        {
            if (result.Checked<string>() is { } name && !Generations.TryGet(name, out _))
                result.AddError($"--generation {name}: not known; use one of {string.Join(", ", Generations.All.Select(form => form.Name))}.");
        });
        return generation;
    }

    private static bool Render(JsonElement json, Generation form, Tokenizer? tokenizer, bool ids, bool asJson)
    {
        string? id = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("id", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;
        if (!ConversationReader.TryRead(json, out Conversation? conversation, out RenderFault? fault))
            return Report(id, fault);
        if (tokenizer is null)
        {
            RenderedText text = form.RenderText(conversation);
            if (text.Fault is not null)
                return Report(id, text.Fault);
            Console.WriteLine(asJson ? JsonOutput.Line(("id", id), ("rendered", text.Text), ("start", text.Start.ToString())) : text.Text);
            return true;
        }

        RenderResult result = form.Render(conversation, tokenizer);
        if (result.Prompt is not { } prompt)
            return Report(id, result.Fault!);
        if (asJson)
            Console.WriteLine(JsonOutput.Line(("id", id), ("ids", prompt.Tokens), ("start", prompt.Start.ToString())));
        else if (ids)
            Console.WriteLine(string.Join(' ', prompt.Tokens));
        else
            ShowTokens(tokenizer, prompt.Tokens);
        return true;
    }

    // Control tokens in their own brackets: text that spells one looks different.
    private static void ShowTokens(Tokenizer tokenizer, int[] tokens)
    {
        StreamDecoder decoder = new(tokenizer);
        foreach (int token in tokens)
        {
            if (tokenizer.KindOf(token) == TokenKind.Text)
                Console.Out.Write(decoder.Append(token));
            else
                Console.Out.Write($"{decoder.Flush()}⟦{System.Text.Encoding.UTF8.GetString(tokenizer.BytesOf(token))}⟧");
        }

        Console.Out.WriteLine(decoder.Flush());
    }

    private static bool Report(string? id, RenderFault fault)
    {
        Console.Error.WriteLine($"render: {(id is null ? "" : id + ": ")}{fault}");
        return false;
    }
}
