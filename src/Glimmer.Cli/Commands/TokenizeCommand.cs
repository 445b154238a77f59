using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Cli.Terminal;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer tokenize</c>: text to ids and ids to text.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        Argument<string?> text = new("TEXT") { Description = "Text, or ids with --decode. Standard input when not given.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> model = ModelOption.Create();
        Option<string?> file = new("--tokenizer") { Description = "A tokenizer.json, a tokenizer.model, or their folder, instead of a model's." };
        Option<bool> decode = new("--decode", "-d") { Description = "Ids (separated by spaces or commas) to text." };
        Option<bool> special = new("--special") { Description = "Recognise control tokens such as <|user|> in the text." };
        Option<bool> pieces = new("--pieces") { Description = "Show each token with its text." };
        Option<bool> json = new("--json") { Description = "Print a JSON array of ids." };
        Command command = new("tokenize", "Text to token ids, and back.") { text, model, file, decode, special, pieces, json };
        command.SetAction(result =>
        {
            try
            {
                string input = result.GetValue(text) ?? StandardInput.ReadToEnd();
                using ModelPackage? package = result.GetValue(file) is null
                    ? LocalModel.LoadForText(EngineSettings.Read(Settings.Read(("Model:Path", result.GetValue(model)))))
                    : null;
                Tokenizer tokenizer = package?.Tokenizer ?? TokenizerFiles.Open(result.GetValue(file)!);
                return result.GetValue(decode)
                    ? Decode(tokenizer, input)
                    : Encode(tokenizer, input, result.GetValue(special), result.GetValue(pieces), result.GetValue(json));
            }
            catch (GlimmerStartupException fault)
            {
                return Fail(fault.Message, fault.ExitCode);
            }
            catch (Exception fault) when (fault is TokenizerFileException or IOException or UnauthorizedAccessException)
            {
                return Fail(fault.Message, 66);
            }
        });
        return command;
    }

    private static int Encode(Tokenizer tokenizer, string text, bool special, bool pieces, bool json)
    {
        List<int> ids = tokenizer.Encode(text, special);
        if (pieces)
        {
            foreach (int id in ids)
                Console.WriteLine($"{id,7}  {Show(tokenizer.BytesOf(id))}{(tokenizer.KindOf(id) == TokenKind.Text ? "" : "   (control)")}");
            Console.WriteLine($"{ids.Count} tokens");
        }
        else
        {
            Console.WriteLine(json ? $"[{string.Join(',', ids)}]" : string.Join(' ', ids));
        }

        return 0;
    }

    private static int Decode(Tokenizer tokenizer, string text)
    {
        List<int> ids = [];
        foreach (string word in text.Split([' ', ',', '\n', '\r', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id >= tokenizer.VocabularySize)
                return Fail($"'{word}' is not a token id; ids are 0 to {tokenizer.VocabularySize - 1}.", 65);
            ids.Add(id);
        }

        Console.Out.WriteLine(tokenizer.Decode(ids.ToArray()));
        return 0;
    }

    // A JSON string shows spaces and line breaks; bytes that are half a character are shown as such.
    private static string Show(ReadOnlySpan<byte> bytes)
    {
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            return '"' + JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString() + '"';
        }
        catch (DecoderFallbackException)
        {
            return "bytes " + Convert.ToHexStringLower(bytes);
        }
    }

    private static int Fail(string message, int code)
    {
        Console.Error.WriteLine($"tokenize: {message}");
        return code;
    }
}
