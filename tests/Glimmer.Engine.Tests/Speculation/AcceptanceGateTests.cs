using Glimmer.Engine.Speculation;

namespace Glimmer.Engine.Tests.Speculation;

public sealed class AcceptanceGateTests
{
    [Theory]
    [InlineData(0.1f, 0.3f, true)]
    [InlineData(0.5f, 0.3f, false)]
    [InlineData(0.8f, 0.3f, false)]
    public void It_closes_when_fewer_guesses_are_right_than_pay_and_tries_again_later(float least, float acceptance, bool stays)
    {
        AcceptanceGate gate = new(rest: 10);
        Random random = new(3);
        int open = 0, asked = 0, reopened = 0;
        bool before = true;
        for (; asked < 2000; asked++)
        {
            bool passes = gate.TryPass();
            reopened += passes && !before ? 1 : 0;
            before = passes;
            if (!passes)
                continue;
            open++;
            gate.Learn(4, Enumerable.Range(0, 4).Count(_ => random.NextSingle() < acceptance), least);
        }

        if (stays)
            Assert.Equal(asked, open);
        else
            Assert.InRange(open, 1, asked / 2);
        Assert.Equal(!stays, reopened > 10);
    }
}
