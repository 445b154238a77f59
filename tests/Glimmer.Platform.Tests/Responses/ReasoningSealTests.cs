using Glimmer.Platform.Responses;

namespace Glimmer.Platform.Tests.Responses;

public sealed class ReasoningSealTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-seal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_was_sealed_opens_for_its_account_also_after_a_restart()
    {
        string box = ReasoningSeal.Open(_folder).Seal(7, "a thought 世界");
        ReasoningSeal again = ReasoningSeal.Open(_folder);
        Assert.Equal("a thought 世界", again.TryOpen(7, box));
        Assert.Null(again.TryOpen(8, box));
        Assert.NotEqual(box, again.Seal(7, "a thought 世界"));
    }

    [Fact]
    public void What_is_damaged_or_foreign_does_not_open()
    {
        ReasoningSeal seal = ReasoningSeal.Open(_folder);
        string box = seal.Seal(7, "a thought");
        var random = new Random(5);
        for (int i = 0; i < 500; i++)
        {
            char[] changed = box.ToCharArray();
            int at = random.Next(changed.Length);
            changed[at] = (char)(changed[at] ^ (1 << random.Next(7)));
            string text = i % 5 == 0 ? box[..random.Next(box.Length)] : new string(changed);

            // The last digit of base64 may hold bits that stand for nothing.
            if (text != box && at < box.Length - 4)
                Assert.Null(seal.TryOpen(7, text));
        }

        Assert.All(["", "glimmer1.", "glimmer1.====", "gAAAAABo"], text => Assert.Null(seal.TryOpen(7, text)));
    }
}
