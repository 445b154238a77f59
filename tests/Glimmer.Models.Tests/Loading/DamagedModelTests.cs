using Glimmer.Models.Loading;
using Glimmer.Models.Tests.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Loading;

public sealed class DamagedModelTests
{
    [Fact]
    public void A_damaged_model_file_is_refused_or_runs()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 300;
        byte[] valid = File.ReadAllBytes(Fixtures.Path("gguf", "malformed", "micro-context-max.gguf"));

        // The context is given a sensible value first: 2^32−1 is refused at once.
        int at = valid.AsSpan().IndexOf(BitConverter.GetBytes(uint.MaxValue));
        BitConverter.GetBytes(64).CopyTo(valid, at);
        using TemporaryFolder folder = new();
        Random random = new(23);
        int ran = 0, refused = 0;
        for (int i = 0; i < rounds; i++)
        {
            byte[] damaged = [.. valid];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int place = random.Next(2000); // the header; weights are only numbers
                damaged[place] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(damaged[place] ^ (1 << random.Next(8)));
            }

            try
            {
                using LoadedModel model = ModelLoader.Load(folder.Write($"{i % 4}.gguf", damaged));
                using ModelRunner runner = new(model.Model, 8);
                runner.Chunked(0, [0, 1, 2, 3, 4, 5, 6, 7], 3);
                ran++;
            }
            catch (ModelFileException)
            {
                refused++;
            }
        }

        Assert.True(ran > 0 && refused > rounds / 4, $"{ran} ran, {refused} were refused");
    }
}
