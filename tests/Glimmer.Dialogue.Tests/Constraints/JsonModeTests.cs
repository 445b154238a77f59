using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;

namespace Glimmer.Dialogue.Tests.Constraints;

public sealed class JsonModeTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;

    private static readonly ConstraintCompiler Compiler = new(
        Tokenizer,
        [Tokenizer.Control("<|endoftext|>"), Tokenizer.Control("<|user|>"), Tokenizer.Control("<|observation|>")]);

    [Theory]
    [InlineData("{}")]
    [InlineData("{ }")]
    [InlineData("{\"a\":1}")]
    [InlineData("\n{\n  \"a\": [1, 2.5e-3, -0, true, false, null],\n  \"b\": {}\n}")]
    [InlineData("{\"\\ud83d\\ude00\\u0000\\/\": \"\\uD83D\\uDE00é👍\"}")]
    [InlineData("{\"a\": {\"a\": {\"a\": [[[[]]]]}}}")]
    public void Accepts_objects(string text) => Assert.True(Compiler.JsonObject(AnswerPreamble.None).AcceptsText(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}{}")]
    [InlineData("{} x")]
    [InlineData("{'a':1}")]
    [InlineData("{a:1}")]
    [InlineData("{\"a\":01}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{\"a\":.5}")]
    [InlineData("{\"a\":NaN}")]
    [InlineData("{\"a\":\"\\ud83d\"}")]
    [InlineData("{\"a\":\"\\ude00\"}")]
    [InlineData("{\"a\":\"\\ud83d\\u0041\"}")]
    [InlineData("{\"a\":\"\\x\"}")]
    [InlineData("{\"a\":\"\t\"}")]
    [InlineData("{\"a\":\"\n\"}")]
    [InlineData("```json\n{}\n```")]
    public void Refuses_everything_else(string text) => Assert.False(Compiler.JsonObject(AnswerPreamble.None).AcceptsText(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("C080")]
    [InlineData("E08080")]
    [InlineData("EDA080")]
    [InlineData("F0808080")]
    [InlineData("F4908080")]
    [InlineData("F5808080")]
    [InlineData("80")]
    [InlineData("E4BD")]
    [InlineData("FF")]
    public void Refuses_invalid_utf8_in_strings(string hex)
    {
        byte[] text = [.. "{\"a\":\""u8, .. Convert.FromHexString(hex), .. "\"}"u8];
        Assert.False(Compiler.JsonObject(AnswerPreamble.None).AcceptsText(text));
    }

    [Theory]
    [InlineData("C280")]
    [InlineData("DFBF")]
    [InlineData("E0A080")]
    [InlineData("ED9FBF")]
    [InlineData("EE8080")]
    [InlineData("F0908080")]
    [InlineData("F48FBFBF")]
    public void Accepts_the_edges_of_utf8(string hex)
    {
        byte[] text = [.. "{\"a\":\""u8, .. Convert.FromHexString(hex), .. "\"}"u8];
        Assert.True(Compiler.JsonObject(AnswerPreamble.None).AcceptsText(text));
    }

    [Theory]
    [InlineData("{%}", " ", true)]
    [InlineData("{%}", "\t", true)]
    [InlineData("{%}", "  ", false)]
    [InlineData("{%}", "\n", true)]
    [InlineData("{%}", "\n\n", false)]
    [InlineData("{%}", " \n", false)]
    [InlineData("{%}", "\r\n", false)]
    [InlineData("{\"a\"%: 1}", "\n                    ", true)]
    [InlineData("{\"a\"%: 1}", "\n                     ", false)]
    [InlineData("{\"a\":%1}", "\n\t\t  ", true)]
    [InlineData("%{}", "\n\n ", true)]
    [InlineData("%{}", "\n\n\n", false)]
    [InlineData("%{}", "\n  ", false)]
    [InlineData("{}%", " ", false)]
    [InlineData("{}%", "\n", false)]
    public void White_space_is_one_blank_or_a_line_feed_and_an_indentation(string text, string space, bool legal) =>
        Assert.Equal(legal, Compiler.JsonObject(AnswerPreamble.None).AcceptsText(Encoding.UTF8.GetBytes(text.Replace("%", space, StringComparison.Ordinal))));

    [Theory]
    [InlineData("{\"a\":", "1", "}")]
    [InlineData("[", "", "]")]
    public void Nesting_goes_to_the_bound_and_never_into_a_dead_end(string open, string inner, string close)
    {
        CompiledConstraint json = Compiler.JsonObject(AnswerPreamble.None);
        int depth = ConstraintCompiler.MaxNesting;
        Assert.True(json.AcceptsText(Nested(depth)));
        Assert.False(json.AcceptsText(Nested(depth + 20)));

        // At the bound something is still allowed, and closing is possible.
        GrammarConstraint constraint = json.Start();
        foreach (byte b in "{\"a\":"u8)
            Assert.True(constraint.TryAccept(b));
        int opened = 0;
        bool more = true;
        while (more)
        {
            foreach (byte b in Encoding.UTF8.GetBytes(open))
                more = more && constraint.TryAccept(b);
            opened += more ? 1 : 0;
        }

        Assert.InRange(opened, depth - 2, depth + 20);

        byte[] Nested(int levels) => Encoding.UTF8.GetBytes(
            "{\"a\":" + string.Concat(Enumerable.Repeat(open, levels - 1)) + inner + string.Concat(Enumerable.Repeat(close, levels - 1)) + "}");
    }

    [Fact]
    public void Ends_of_turn_are_allowed_exactly_when_complete()
    {
        GrammarConstraint constraint = Compiler.JsonObject(AnswerPreamble.None).Start();
        int stop = Tokenizer.Control("<|user|>");
        foreach (byte b in "{\"a\": \"b\"}"u8)
        {
            Assert.False(constraint.Clone().TryAccept(stop));
            Assert.Throws<InvalidOperationException>(() => constraint.Clone().Accept(stop));
            constraint.Accept(b);
        }

        Assert.True(constraint.CanEnd);
        constraint.Accept(stop);
        Assert.True(constraint.HasEnded);
        constraint.Rollback(1);
        Assert.False(constraint.HasEnded);
        Assert.False(constraint.TryAccept('\n'));
        constraint.Rollback(1);
        Assert.False(constraint.TryAccept(stop));
        Assert.True(constraint.TryAccept('}'));
    }

    [Fact]
    public void Random_walks_give_one_json_object_and_exact_masks()
    {
        CompiledConstraint json = Compiler.JsonObject(AnswerPreamble.None);
        for (int seed = 0; seed < RandomWalk.Cases(60); seed++)
        {
            List<int>? tokens = RandomWalk.Run(json, Tokenizer, new Random(seed), free: seed % 40, checkMasks: seed < 12);
            Assert.NotNull(tokens);
            using JsonDocument document = JsonDocument.Parse(RandomWalk.Bytes(Tokenizer, tokens), new() { MaxDepth = 1000 });
            Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
        }
    }

    [Theory]
    [InlineData(AnswerStart.Reasoning, "thinking {}", true)]
    [InlineData(AnswerStart.ThinkPending, "", true)]
    [InlineData(AnswerStart.Content, "x", false)]
    [InlineData(AnswerStart.ThinkPending, "x", false)]
    public void Reasoning_comes_first_when_the_prompt_opened_it(AnswerStart start, string before, bool legal)
    {
        AnswerPreamble preamble = new(start, GrammarTag.Find(Tokenizer, "<think>"), GrammarTag.Find(Tokenizer, "</think>"));
        GrammarConstraint constraint = Compiler.JsonObject(preamble).Start();
        bool accepted = true;
        if (start == AnswerStart.ThinkPending && before.Length == 0)
        {
            Assert.True(constraint.TryAccept('\n'));
            Assert.True(constraint.TryAccept(Tokenizer.Control("<think>")));
            before = "hm";
        }

        foreach (byte b in Encoding.UTF8.GetBytes(before))
            accepted = accepted && constraint.TryAccept(b);
        Assert.Equal(legal, accepted);
        if (!legal)
            return;
        Assert.False(constraint.TryAccept(Tokenizer.Control("<|user|>")));
        Assert.False(constraint.TryAccept(Tokenizer.Control("<tool_call>")));
        Assert.True(constraint.TryAccept(Tokenizer.Control("</think>")));
        foreach (byte b in "\n\n{}"u8)
            Assert.True(constraint.TryAccept(b));
        Assert.True(constraint.CanEnd);
    }

    [Fact]
    public void Reasoning_may_be_closed_by_a_tag_in_plain_pieces()
    {
        AnswerPreamble preamble = new(AnswerStart.Reasoning, new("<think>", null), new("</think>", null));
        CompiledConstraint json = Compiler.JsonObject(preamble);
        Assert.True(json.AcceptsText("a < b </thin </think>\n{\"x\": \"</think>\"}"u8));
        Assert.False(json.AcceptsText("a < b </thin </think>\n</think>{}"u8));
        Assert.False(json.AcceptsText("{}"u8));
        GrammarConstraint constraint = json.Start();
        uint[] mask = new uint[Compiler.MaskWords];
        List<int> ids = [];
        Tokenizer.Encode("so</think>\n\n{\"a\"", recogniseAdded: false, ids);
        foreach (int id in ids)
        {
            constraint.FillMask(mask);
            RandomWalk.AssertMaskIsExact(constraint, Tokenizer, mask);
            constraint.Accept(id);
        }
    }

    [Fact]
    public void Masks_are_those_of_a_fresh_compiler_whatever_ran_before()
    {
        // The same walk twice, with warm and with cold caches.
        CompiledConstraint warm = Compiler.JsonObject(AnswerPreamble.None);
        List<int> tokens = RandomWalk.Run(warm, Tokenizer, new Random(7), free: 60)!;
        CompiledConstraint cold = new ConstraintCompiler(Tokenizer, [Tokenizer.Control("<|user|>"), Tokenizer.Control("<|endoftext|>"), Tokenizer.Control("<|observation|>")])
            .JsonObject(AnswerPreamble.None);
        GrammarConstraint a = warm.Start();
        GrammarConstraint b = cold.Start();
        uint[] maskA = new uint[Compiler.MaskWords + 3];
        uint[] maskB = new uint[Compiler.MaskWords + 3];
        Array.Fill(maskA, uint.MaxValue);
        foreach (int token in tokens)
        {
            a.FillMask(maskA);
            b.FillMask(maskB);
            Assert.Equal(maskA, maskB);
            a.Accept(token);
            b.Accept(token);
        }
    }

    [Fact]
    public void Masks_stay_right_when_states_are_forgotten_on_the_way()
    {
        CompiledConstraint json = new ConstraintCompiler(Tokenizer, [Tokenizer.Control("<|user|>")]).JsonObject(AnswerPreamble.None);
        List<int> tokens = RandomWalk.Run(json, Tokenizer, new Random(3), free: 40)!;
        GrammarConstraint constraint = json.Start();
        uint[] mask = new uint[Compiler.MaskWords];
        foreach (int token in tokens)
        {
            json.Machine.Forget();
            constraint.FillMask(mask);
            RandomWalk.AssertMaskIsExact(constraint, Tokenizer, mask);
            constraint.Accept(token);
        }

        Assert.True(constraint.CanEnd);
        Assert.NotNull(RandomWalk.Run(json, Tokenizer, new Random(4), free: 40));
    }

    [Fact]
    public async Task One_constraint_serves_several_threads_at_once()
    {
        CompiledConstraint json = new ConstraintCompiler(Tokenizer, [Tokenizer.Control("<|user|>")]).JsonObject(AnswerPreamble.None);
        CompiledConstraint other = new ConstraintCompiler(Tokenizer, [Tokenizer.Control("<|user|>")]).JsonObject(AnswerPreamble.None);
        List<int>?[] alone = [.. Enumerable.Range(0, 16).Select(seed => RandomWalk.Run(other, Tokenizer, new Random(seed), free: 30))];
        List<int>?[] together = await Task.WhenAll(Enumerable.Range(0, 16).Select(seed =>
            Task.Run(() => RandomWalk.Run(json, Tokenizer, new Random(seed), free: 30))));
        Assert.Equal(alone, together);
    }

    [Fact]
    public void The_same_constraint_is_compiled_once() =>
        Assert.Same(Compiler.JsonObject(AnswerPreamble.None), Compiler.JsonObject(AnswerPreamble.None));

    [Fact]
    public void A_compiler_needs_stop_tokens_of_the_vocabulary()
    {
        Assert.Throws<ArgumentException>(() => new ConstraintCompiler(Tokenizer, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConstraintCompiler(Tokenizer, [Tokenizer.VocabularySize]));
    }
}
