using Glimmer.Dialogue.Constraints;
using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests;

public sealed class ConstraintTests
{
    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 5)]
    [InlineData(false, 5)]
    public async Task Jumping_ahead_and_guessing_never_change_a_constrained_answer(bool jumpAhead, int guesses)
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { JumpAhead = jumpAhead, SpeculativeTokens = guesses });
        for (int seed = 0; seed < 10; seed++)
        {
            RecordingSink sink = new();
            GenerationRequest request = Rig.Request(Rig.Prompt(seed, 20), 50, sink) with { Constraint = new FakeConstraint(seed) };
            engine.Submit(request, default, out _);
            Assert.NotEqual(GenerationEnd.Fault, await sink.Ended.Soon());
            Assert.Equal(Rig.Alone(model, request with { Constraint = new FakeConstraint(seed) }, engine.ContextLength), sink.Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
        Assert.Equal(jumpAhead, engine.GetStatistics().ForcedTokens > 0);
    }

    [Fact]
    public async Task A_constraint_that_throws_ends_its_own_request_only()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        RecordingSink bad = new(), worse = new();
        engine.Submit(Rig.Request([1, 2], 10, bad) with { Constraint = new Broken(fill: true) }, default, out _);
        engine.Submit(Rig.Request([1, 2], 10, worse) with { Constraint = new Broken(fill: false) }, default, out _);
        RecordingSink good = engine.Start([1, 2], 10);

        Assert.Equal(GenerationEnd.Fault, await bad.Ended.Soon());
        Assert.Equal(GenerationEnd.Fault, await worse.Ended.Soon());
        await good.Ended.Soon();
        Assert.Equal(Rig.Alone(model, [1, 2], 10), good.Tokens);
        await engine.AssertNoLeakAsync().Soon();
    }

    [Fact]
    public async Task Padding_ids_are_never_chosen()
    {
        using FakeModel model = new();
        model.Bend = static (_, logits) => logits[95] += 50;
        using InferenceEngine engine = new(model, Rig.Options, new PaddedTokenizer());
        RecordingSink sink = engine.Start([1, 2, 3], 40, new SamplingOptions { Seed = 3 });
        await sink.Ended.Soon();

        Assert.DoesNotContain(sink.Tokens, token => token is 95 or (>= 10 and < 20));
    }

    private sealed class Broken(bool fill) : ITokenConstraint
    {
        public bool FillMask(Span<uint> mask) => fill ? throw new InvalidOperationException("fill") : false;

        public void Accept(int token) => throw new InvalidOperationException("accept");
    }

    private sealed class PaddedTokenizer : Dialogue.Tokenization.ITokenizer
    {
        public int VocabularySize => 97;

        public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids) => throw new NotSupportedException();

        public bool TryGetAdded(ReadOnlySpan<char> token, out int id) => throw new NotSupportedException();

        public Dialogue.Tokenization.TokenKind KindOf(int id) =>
            id is 95 or (>= 10 and < 20) ? Dialogue.Tokenization.TokenKind.Unused : Dialogue.Tokenization.TokenKind.Text;

        public ReadOnlySpan<byte> BytesOf(int id) => [];
    }
}
