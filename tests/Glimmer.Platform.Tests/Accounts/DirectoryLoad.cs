using System.Diagnostics;
using System.Security.Cryptography;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

/// <summary>
/// How long a start takes with many accounts. <c>GLIMMER_ACCOUNTS</c> gives their number (100 keys each; 10,000 is the
/// product's figure), the default is small; the times are printed, not asserted.
/// </summary>
public sealed class DirectoryLoad(ITestOutputHelper output)
{
    [Theory, EachStore]
    public async Task Many_keys_are_loaded_and_all_found(StoreKind kind)
    {
        int accounts = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_ACCOUNTS"), out int asked) ? asked : 20;
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        await PlatformAccounts.Open(store).DisposeAsync();
        Fill(store, accounts);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var watch = Stopwatch.StartNew();
        await using PlatformAccounts platform = PlatformAccounts.Open(store);
        TimeSpan time = watch.Elapsed;
        long bytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{kind}: {accounts} accounts x 100 keys in {time.TotalMilliseconds:F0} ms, {bytes >> 20} MiB");
        Assert.Equal(accounts * 100, platform.Directory.KeyCount);
        for (int i = 0; i < accounts * 100; i += 97)
            Assert.NotNull(platform.Directory.FindKey($"{i:x32}"));
    }

    private static void Fill(PlatformStore store, int accounts) => store.Write(session =>
    {
        byte[] salt = new byte[16];
        byte[] hash = new byte[32];
        byte[] box = new byte[52];
        for (int a = 0; a < accounts; a++)
        {
            long id = (long)session.Statement("INSERT INTO accounts (public_id, name, created, version) VALUES (@p0, @p1, @p2, @p3) RETURNING id").With($"acc-{a}").With($"Account {a}").With(1).With(1).Scalar()!;
            long project = (long)session.Statement("INSERT INTO projects (account_id, public_id, name, created) VALUES (@p0, @p1, 'Default', 1) RETURNING id").With(id).With($"proj-{a}").Scalar()!;
            for (int k = 0; k < 100; k++)
            {
                RandomNumberGenerator.Fill(hash);
                session.Statement("INSERT INTO access_keys (account_id, project_id, public_id, name, salt, hash, sealed, created, version) VALUES (@p0, @p1, @p2, @p3, @p4, @p5, @p6, 1, 1)")
                    .With(id).With(project).With($"{(a * 100) + k:x32}").With($"key {k}").With(salt).With(hash).With(box).Execute();
            }
        }
    });
}
