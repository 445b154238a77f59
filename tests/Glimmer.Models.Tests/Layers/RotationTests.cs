using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Memory;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Layers;

public sealed unsafe class RotationTests
{
    private const int HeadDim = 16;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Rotates_as_the_reference_at_all_positions(int which)
    {
        using SafetensorsFile units = SafetensorsFile.Open(Fixtures.Path("text", "units.safetensors"));
        string key = units.Names.Where(name => name.EndsWith(".inv_freq", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ElementAt(which);
        string prefix = key[..^"inv_freq".Length];
        double theta = double.Parse(prefix["rope.theta=".Length..^1], System.Globalization.CultureInfo.InvariantCulture);
        float[] frequencies = Floats(units, key), x = Floats(units, "rope.x");
        int[] positions = [.. Floats(units, "rope.positions").Select(position => (int)position)];
        int width = x.Length / positions.Length;
        foreach (RotaryPairing pairing in (RotaryPairing[])[RotaryPairing.HalfSplit, RotaryPairing.Interleaved])
        {
            Rotation rotation = new(new RopeConfig(2 * frequencies.Length, theta, pairing, 1, null));
            for (int j = 0; j < frequencies.Length; j++)
                Assert.Equal(frequencies[j], rotation.InverseFrequencies[j], frequencies[j] * 2e-7f);
            float[] expected = Floats(units, prefix + (pairing == RotaryPairing.HalfSplit ? "half" : "interleaved"));
            for (int i = 0; i < x.Length; i += HeadDim)
            {
                int position = positions[i / width];
                float[] head = x[i..(i + HeadDim)];
                Turn(rotation, position, head);
                for (int j = 0; j < HeadDim; j++)
                    Assert.Equal(expected[i + j], head[j], 1e-5f + position * 1e-6f);
            }
        }
    }

    private static void Turn(Rotation rotation, int position, float[] head)
    {
        using KvArena arena = new(new KvLayout([new KvPlane("k", 0, 1)], 0), 1, position + 1, 0);
        using ThreadTeam team = new(1);
        using ForwardPass pass = new();
        pass.Begin([new SequenceChunk(new int[1], position, new int[1], 0, LogitsWanted.None)], 1, 1, arena, team, null);
        fixed (float* first = head)
            rotation.For(pass).Apply(first, 1, head.Length, 0);
    }

    private static float[] Floats(SafetensorsFile file, string name)
    {
        Assert.True(file.TryGet(name, out StoredTensor? tensor), name);
        return tensor.ToFloats();
    }
}
