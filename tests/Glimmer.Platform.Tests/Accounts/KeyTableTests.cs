using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class KeyTableTests
{
    [Fact]
    public void It_behaves_like_a_dictionary()
    {
        var random = new Random(3);
        var table = new KeyTable(10);
        var plain = new Dictionary<UInt128, KeyEntry>();
        for (int i = 0; i < 50_000; i++)
        {
            // Few different numbers, some of them zero, so that keys come back after they were gone.
            UInt128 index = (UInt128)(uint)random.Next(4000) << (random.Next(3) * 40);
            if (random.Next(3) == 0)
            {
                table.Remove(index);
                plain.Remove(index);
            }
            else
            {
                var entry = new KeyEntry { Index = index, Name = $"{i}" };
                table.Set(entry);
                plain[index] = entry;
            }

            UInt128 probe = (UInt128)(uint)random.Next(4000) << (random.Next(3) * 40);
            Assert.Same(plain.GetValueOrDefault(probe), table.Find(probe));
            Assert.Equal(plain.Count, table.Count);
        }
    }

    [Fact]
    public async Task Readers_see_a_key_while_others_come_and_go()
    {
        var table = new KeyTable(10);
        var entry = new KeyEntry { Index = 42, Name = "stays" };
        table.Set(entry);
        bool stop = false;
        Task<bool>[] readers = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                if (!ReferenceEquals(table.Find(42), entry))
                    return false;
            }

            return true;
        }))];
        for (uint i = 100; i < 60_000; i++)
        {
            table.Set(new KeyEntry { Index = i, Name = "" });
            table.Remove(i - 50);
        }

        Volatile.Write(ref stop, true);
        Assert.DoesNotContain(false, await Task.WhenAll(readers));
    }

    [Theory]
    [InlineData("00112233445566778899aabbccddeeff", true)]
    [InlineData("00112233445566778899AABBCCDDEEFF", false)]
    [InlineData("00112233445566778899aabbccddeefg", false)]
    [InlineData("00112233445566778899aabbccddeef", false)]
    [InlineData("+0112233445566778899aabbccddeeff", false)]
    [InlineData("", false)]
    public void Both_readers_of_ids_agree(string id, bool plain)
    {
        Assert.Equal(plain, KeyEntry.IsPlain(id));
        Assert.Equal(plain, KeyEntry.TryIndexOf(Encoding.UTF8.GetBytes(id), out UInt128 index));
        if (plain)
            Assert.Equal(KeyEntry.IndexOf(id), index);
        else
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32], KeyEntry.IndexOf(id).ToString("x32"));
    }
}
