namespace Glimmer.Models.Tests.Weights;

/// <summary>Damages bytes at random, preferring the kinds of damage that upset parsers. Same seed, same damage.</summary>
internal static class Mutations
{
    private static readonly ulong[] _interesting = [0, 1, 2, 7, 8, 31, 32, 255, 256, 65535, 1 << 20, int.MaxValue, 1u << 31, uint.MaxValue, 1UL << 32, 1UL << 61, 1UL << 63, ulong.MaxValue - 7, ulong.MaxValue];

    /// <summary>How many mutations a fuzz test tries: <c>GLIMMER_FUZZ_CASES</c>, or a few.</summary>
    public static int Cases(int usual) => int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : usual;

    /// <summary>A damaged copy. Damage concentrates on the first <paramref name="header"/> bytes.</summary>
    public static byte[] Damage(byte[] valid, int header, int seed)
    {
        Random random = new(seed);
        List<byte> bytes = [.. valid];
        for (int times = random.Next(1, 4); times > 0 && bytes.Count > 8; times--)
        {
            int at = random.Next(random.Next(8) == 0 ? bytes.Count : Math.Min(header, bytes.Count));
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(1, 40)));
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at / 2, Math.Min(bytes.Count - at / 2, random.Next(1, 40))));
                    break;
                default:
                    byte[] number = BitConverter.GetBytes(_interesting[random.Next(_interesting.Length)]);
                    for (int i = 0; i < random.Next(1, 9) && at + i < bytes.Count; i++)
                        bytes[at + i] = number[i];
                    break;
            }
        }

        return [.. bytes];
    }
}
