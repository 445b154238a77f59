using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class MalformedFileTests
{
    private static readonly string _folder = Fixtures.Path("tokenizer", "malformed");

    public static TheoryData<string, string, string> Index
    {
        get
        {
            var rows = new TheoryData<string, string, string>();
            foreach (string line in File.ReadAllLines(Path.Combine(_folder, "index.jsonl")))
            {
                using JsonDocument row = JsonDocument.Parse(line);
                rows.Add(
                    row.RootElement.GetProperty("file").GetString()!,
                    row.RootElement.GetProperty("expect").GetString()!,
                    row.RootElement.GetProperty("reason").GetString()!);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Index))]
    public void A_file_gives_what_the_index_says(string file, string expect, string reason)
    {
        string path = Path.Combine(_folder, file);
        long before = GC.GetAllocatedBytesForCurrentThread();
        TokenizerFileException? fault = null;
        try
        {
            Tokenizer tokenizer = TokenizerFiles.Open(path);
            Assert.Equal("ab ab", tokenizer.EncodesEveryByte ? tokenizer.Decode([.. tokenizer.Encode("ab ab", true)]) : "ab ab");
        }
        catch (TokenizerFileException thrown)
        {
            fault = thrown;
        }

        // The tables for 256 bytes and their pairs have a fixed size; the rest follows the file.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000_000 + (64 * new FileInfo(path).Length));
        Assert.True(expect == "either" || (expect == "error") == (fault is not null), $"{reason}: {fault?.Message ?? "no error"}");
        if (fault is not null)
        {
            Assert.Equal(path, fault.File);
            Assert.StartsWith(path, fault.Message);
            Assert.NotEmpty(fault.Fault);
        }
    }

    [Theory]
    [InlineData("unigram.tokenizer.json", "Unigram")]
    [InlineData("normalizer-unknown.tokenizer.json", "normalizer '")]
    [InlineData("regex-slow.tokenizer.json", "(a+)+$")]
    [InlineData("id-float.tokenizer.json", "zz")]
    [InlineData("id-2e31.tokenizer.json", "2147483647")]
    [InlineData("id-duplicate.tokenizer.json", "same id 3")]
    [InlineData("added-id-conflict.tokenizer.json", "<x>")]
    [InlineData("added-id-huge.tokenizer.json", "2147483647")]
    [InlineData("merge-result-unknown.tokenizer.json", "merge 0")]
    [InlineData("merge-one.tokenizer.json", "merge 0")]
    [InlineData("nested.tokenizer.json", "model")]
    [InlineData("sentencepiece.tokenizer.model", "SentencePiece")]
    [InlineData("bad-base64.tokenizer.model", "line 258")]
    [InlineData("rank-text.tokenizer.model", "line 258")]
    [InlineData("token-duplicate.tokenizer.model", "two ids")]
    [InlineData("token-empty.tokenizer.model", "line 258")]
    public void The_message_names_what_is_wrong(string file, string part)
    {
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => TokenizerFiles.Open(Path.Combine(_folder, file)));
        Assert.Contains(part, fault.Fault, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("\"type\": \"BPE\"", "\"type\": \"WordPiece\"", "WordPiece")]
    [InlineData("\"type\": \"BPE\"", "\"type\": 1", "type")]
    [InlineData("\"byte_fallback\": false", "\"byte_fallback\": true", "byte_fallback")]
    [InlineData("\"dropout\": null", "\"dropout\": 0.1", "dropout")]
    [InlineData("\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", "end_of_word_suffix")]
    [InlineData("\"ignore_merges\": true", "\"ignore_merges\": 1", "ignore_merges")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", "NFC")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}]}", "Lowercase")]
    [InlineData("\"normalizer\": null", "\"normalizer\": []", "normalizer")]
    [InlineData("\"type\": \"Split\"", "\"type\": \"Whitespace\"", "Whitespace")]
    [InlineData("\"behavior\": \"Isolated\"", "\"behavior\": \"Removed\"", "Isolated")]
    [InlineData("\"invert\": false", "\"invert\": true", "invert")]
    [InlineData("\"use_regex\": false", "\"use_regex\": true", "use_regex")]
    [InlineData("\"add_prefix_space\": false", "\"add_prefix_space\": true", "add_prefix_space")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"BertProcessing\"}", "BertProcessing")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}", "Sequence")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\"}}]}", "special_tokens")]
    [InlineData("\"decoder\": {\"type\": \"ByteLevel\"", "\"decoder\": {\"type\": \"Metaspace\"", "Metaspace")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [[\"a\", \"b\", \"c\"]]", "merge 0")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [\"ab\"]", "merge 0")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [\"a b c\"]", "merge 0")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [[\"a b\", \"c\"]]", "merge 0")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [7]", "merge 0")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": [[\"你\", \"b\"]]", "alphabet")]
    [InlineData("\"merges\": [[\"a\", \"b\"]]", "\"merges\": {}", "merges")]
    [InlineData(", \"merges\": [[\"a\", \"b\"]]", "", "merges")]
    [InlineData("\"ab\": 256", "\"ab\": -1", "ab")]
    [InlineData("\"ab\": 256", "\"ab\": \"256\"", "ab")]
    [InlineData("\"ab\": 256", "\"你好\": 256", "alphabet")]
    [InlineData("\"ab\": 256", "\"\": 256", "empty")]
    [InlineData("\"ab\": 256", "\"ab\": 256, \"ab\": 257", "another token")]
    [InlineData("\"ab\": 256", "\"\\ud800\": 256", "Unicode")]
    [InlineData("\"id\": 257", "\"id\": 258", "without a gap")]
    [InlineData("\"id\": 257", "\"id\": \"257\"", "added_tokens[0]")]
    [InlineData("\"id\": 257", "\"id\": 1e3000", "added_tokens[0]")]
    [InlineData("\"content\": \"<|endoftext|>\"", "\"content\": \"\"", "content")]
    [InlineData("\"content\": \"<|endoftext|>\"", "\"content\": \"ab\"", "lists it as 256")]
    [InlineData("\"special\": true", "\"special\": \"yes\"", "special")]
    [InlineData("\"added_tokens\": [", "\"added_tokens\": [null, ", "added_tokens[0]")]
    [InlineData("\"model\":", "\"modell\":", "model")]
    [InlineData("\"pre_tokenizer\":", "\"pretokenizer\":", "pre_tokenizer")]
    [InlineData("{\"version\"", "[{\"version\"", "object")]
    public void A_damaged_json_names_the_damage(string right, string wrong, string part)
    {
        string valid = File.ReadAllText(Path.Combine(_folder, "valid.tokenizer.json"));
        Assert.Contains(right, valid, StringComparison.Ordinal);
        int place = valid.IndexOf(right, StringComparison.Ordinal);
        byte[] damaged = Encoding.UTF8.GetBytes(valid[..place] + wrong + valid[(place + right.Length)..]);
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => new Tokenizer(TokenizerJsonFile.Read(damaged, "t.json")));
        Assert.Equal("t.json", fault.File);
        Assert.Contains(part, fault.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Order_and_form_of_the_sections_do_not_matter()
    {
        using JsonDocument valid = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, "valid.tokenizer.json")));
        string sections = string.Join(',', valid.RootElement.EnumerateObject().Reverse().Select(section => section.Name == "model"
            ? "\"model\":{" + string.Join(',', section.Value.EnumerateObject().Reverse().Select(field => $"\"{field.Name}\":{field.Value.GetRawText()}")) + "}"
            : $"\"{section.Name}\":{section.Value.GetRawText()}"));
        string text = ("{" + sections + "}").Replace("[[\"a\",\"b\"]]", "[\"a b\"]", StringComparison.Ordinal).Replace("[[\"a\", \"b\"]]", "[\"a b\"]", StringComparison.Ordinal);
        var tokenizer = new Tokenizer(TokenizerJsonFile.Read(Encoding.UTF8.GetBytes(text), "t.json"));
        Assert.Equal([256], tokenizer.Encode("ab", false));
        Assert.Equal([257], tokenizer.Encode("<|endoftext|>", true));
    }

    [Theory]
    [InlineData("[]", "object")]
    [InlineData("{\"added_tokens_decoder\": []}", "added_tokens_decoder")]
    [InlineData("{\"added_tokens_decoder\": {\"-1\": {\"content\": \"x\"}}}", "-1")]
    [InlineData("{\"added_tokens_decoder\": {\"300\": {\"content\": 1}}}", "300")]
    [InlineData("{", "JSON")]
    [InlineData("\xFF", "JSON")]
    public void A_damaged_configuration_names_the_damage(string config, string part)
    {
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => TokenizerFiles.ReadConfig(Encoding.Latin1.GetBytes(config), "c.json"));
        Assert.Contains(part, fault.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_may_come_in_any_order_and_with_other_line_ends()
    {
        string[] lines = File.ReadAllLines(Path.Combine(_folder, "valid-no-final-newline.tokenizer.model"));
        byte[] other = Encoding.ASCII.GetBytes(string.Join("\r\n", lines.Reverse()) + "\r\n");
        var tokenizer = new Tokenizer(TokenizerRanksFile.Read(other, "t.model", []));
        Assert.Equal([256], tokenizer.Encode("ab", false));
        Assert.Equal(256 + 1, tokenizer.VocabularySize);
        string doubled = string.Join('\n', lines) + "\nY2Q= 256\n";
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => TokenizerRanksFile.Read(Encoding.ASCII.GetBytes(doubled), "t.model", []));
        Assert.Contains("same id 256", fault.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_or_folder_is_a_file_error()
    {
        Assert.Throws<TokenizerFileException>(() => TokenizerFiles.Open(Path.Combine(_folder, "nowhere", "tokenizer.json")));
        Assert.Throws<TokenizerFileException>(() => TokenizerFiles.Open(Path.Combine(_folder, "nowhere.model")));
        Assert.Contains("neither", Assert.Throws<TokenizerFileException>(() => TokenizerFiles.Open(_folder)).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_that_contradict_themselves_are_refused()
    {
        Refused("token types", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, Kinds = [TokenKind.Text] });
        Refused("must be from 0", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, AddedTokens = [new AddedToken(-5, "x!")] });
        Refused("must be from 0", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, AddedTokens = [new AddedToken(9_999_999, "x!")] });
        Refused("characters long", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, AddedTokens = [new AddedToken(300, new string('x', 5000))] });
        Refused("two ids", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, AddedTokens = [new AddedToken(300, "xx"), new AddedToken(301, "xx")] });
        Refused("two added tokens", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, AddedTokens = [new AddedToken(300, "xx"), new AddedToken(300, "yy")] });
        Refused("post-processor", data => new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes, Prefix = [700] });
        Refused("4096 are the most", data =>
        {
            data.Add(new byte[5000]);
            return new TokenizerData { Source = "t", Tokens = data, Spelling = TokenSpelling.Bytes };
        });
        Refused("added tokens together", data => new TokenizerData
        {
            Source = "t",
            Tokens = data,
            Spelling = TokenSpelling.Bytes,
            AddedTokens = [.. Enumerable.Range(256, 5000).Select(id => new AddedToken(id, new string('x', 1000) + id))],
        });
        Refused("no text token", data => new TokenizerData { Source = "t", Tokens = new Utf8StringList(), Merges = new Utf8StringList() });

        static void Refused(string part, Func<Utf8StringList, TokenizerData> make)
        {
            var tokens = new Utf8StringList();
            for (int b = 0; b < 256; b++)
                tokens.Add([(byte)b]);
            Assert.Contains(part, Assert.Throws<TokenizerFileException>(() => new Tokenizer(make(tokens))).Fault, StringComparison.Ordinal);
        }
    }
}
