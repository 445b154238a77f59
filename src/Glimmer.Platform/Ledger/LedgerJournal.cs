using System.Text;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Settled requests that the database does not have yet, in the journal of this run (<c>DATA/journal</c>). They wait in memory too, and
/// from there they are stored; the file is for a process that ends before. The pump alone writes it.
/// </summary>
internal sealed class LedgerJournal : IDisposable
{
    private const string Owner = "ledger";
    private readonly NodeJournal _file;
    private long _waiting;
    private long _kept;
    private long _bytes;
    private readonly Lock _gate = new();
    private bool _keep;
    private bool _closed;
    private volatile bool _unable;

    private LedgerJournal(NodeJournal file)
    {
        _file = file;
        _bytes = file.Length;
    }

    /// <summary>Requests in it that the database does not have.</summary>
    public long Waiting => Interlocked.Read(ref _waiting);

    /// <summary>Requests put into it since the start.</summary>
    public long Kept => Interlocked.Read(ref _kept);

    /// <summary>Bytes of the file.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Whether the last try to put something into it failed: it is full, or the disk is.</summary>
    public bool IsUnable => _unable;

    /// <summary>Makes the journal of a run.</summary>
    /// <exception cref="StoreException">The data folder cannot be written.</exception>
    public static LedgerJournal Open(StoreSettings settings, long run, string token, long limit)
    {
        string folder = Folder(settings);
        try
        {
            string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Owner}-{run}-{token[..8]}");
            return new LedgerJournal(NodeJournal.Create(folder, name, Encoding.UTF8.GetBytes($"{Owner} {run} {token}"), limit, settings.Durability));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The journal in {folder} cannot be made: {fault.Message} Make the data folder writable, or choose another one (Glimmer:DataFolder).", fault);
        }
    }

    /// <summary>Keeps settled requests; durable when it returns.</summary>
    /// <returns>Whether there was room and the disk took them; when not, they wait for the database as before.</returns>
    public bool TryKeep(List<LedgerReservation> charges)
    {
        lock (_gate)
        {
            if (_closed)
                return false;
            try
            {
                _unable = !_file.TryAppend([.. charges.Select(static charge => (ReadOnlyMemory<byte>)ChargeRecord.Write(charge))]);
            }
            catch (Exception fault) when (fault is IOException or ArgumentOutOfRangeException)
            {
                _unable = true;
            }

            if (_unable)
                return false;
            Interlocked.Exchange(ref _bytes, _file.Length);
        }

        Interlocked.Add(ref _waiting, charges.Count);
        Interlocked.Add(ref _kept, charges.Count);
        return true;
    }

    /// <summary>So many of the kept requests are in the database, or were retained.</summary>
    public void Settled(int count)
    {
        if (Interlocked.Add(ref _waiting, -count) > 0 || _keep)
            return;
        lock (_gate)
        {
            if (_closed)
            {
                // The ledger stopped waiting for a database that then took everything after all, before the store was closed.
                NodeJournal.Remove(_file.Path);
                return;
            }

            _file.Clear();
            Interlocked.Exchange(ref _bytes, _file.Length);
        }

        _unable = false;
    }

    /// <summary>So many of the kept requests could not be stored: they go on waiting, and the file stays for the next start.</summary>
    public void Retain(int count)
    {
        _keep = true;
        Interlocked.Add(ref _waiting, count);
    }

    /// <summary>
    /// Gives what processes that are gone left behind, journal by journal. One of another store is left alone and told of. A record that
    /// cannot be read or settled has its journal put aside as <c>….rejected</c>.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="ledger">Whose wallets are charged.</param>
    /// <param name="settle">Settles requests; those the database has already are left out. True: all of them are durable.</param>
    /// <returns>What was found, to be told.</returns>
    public static IReadOnlyList<JournalReplay> Replay(PlatformStore store, PlatformLedger ledger, Func<List<LedgerReservation>, Task<bool>> settle)
    {
        var replays = new List<JournalReplay>();
        foreach (NodeJournalReader orphan in NodeJournal.Orphans(Folder(store.Settings)))
        {
            using (orphan)
            {
                List<byte[]> records = orphan.Read(out long torn);
                if (records.Count <= 1)
                {
                    orphan.Delete();
                    continue;
                }

                if (!IsOf(store, Encoding.UTF8.GetString(records[0])))
                {
                    replays.Add(new JournalReplay(orphan.Path, 0, torn, "It is another store's and was left alone. Start a node of that store with it, or remove it."));
                    continue;
                }

                replays.Add(Replay(orphan, records, torn, ledger, settle));
            }
        }

        return replays;
    }

    /// <summary>Closes the file, which stays when something in it may not be in the database.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            _file.Dispose();
        }
    }

    private static JournalReplay Replay(NodeJournalReader orphan, List<byte[]> records, long torn, PlatformLedger ledger, Func<List<LedgerReservation>, Task<bool>> settle)
    {
        var charges = new List<LedgerReservation>(records.Count);
        string? fault = null;
        foreach (byte[] record in records.Skip(1))
        {
            try
            {
                charges.Add(ChargeRecord.Read(record, ledger));
            }
            catch (InvalidDataException unreadable)
            {
                fault = unreadable.Message;
            }
        }

        if (!settle(charges).GetAwaiter().GetResult())
            fault ??= "Some of its requests could not be settled.";
        if (fault is null)
        {
            orphan.Delete();
            return new JournalReplay(orphan.Path, charges.Count, torn, null);
        }

        string aside = orphan.Path + ".rejected";
        File.Move(orphan.Path, aside, overwrite: true);
        return new JournalReplay(aside, charges.Count, torn, fault);
    }

    private static bool IsOf(PlatformStore store, string head) =>
        head.Split(' ') is [Owner, var number, var token] && long.TryParse(number, out long run)
        && store.Read(session => session.Scalar<string>("SELECT token FROM ledger_runs WHERE id = @run", new { run })) == token;

    private static string Folder(StoreSettings settings) => Path.Combine(Path.GetFullPath(settings.DataFolder), "journal");
}

/// <summary>What became of a journal that a former run left behind.</summary>
/// <param name="Path">The file.</param>
/// <param name="Requests">Settled requests in it; each is in the database now, once.</param>
/// <param name="Torn">Bytes at its end that were no whole record: nobody was told that those are durable.</param>
/// <param name="Fault">Why the file is still there; null when it was taken in whole and is gone.</param>
public sealed record JournalReplay(string Path, int Requests, long Torn, string? Fault);
