namespace Glimmer.Cli.Hub;

/// <summary>What a pull will do: decided before a byte is taken.</summary>
/// <param name="Reference">The model.</param>
/// <param name="Folder">Where it goes.</param>
/// <param name="Take">Files to fetch.</param>
/// <param name="Present">Files that are there already with the right checksum.</param>
/// <param name="Arrived">Bytes of <paramref name="Take"/> that an earlier, interrupted pull left.</param>
internal sealed record PullPlan(ModelReference Reference, string Folder, IReadOnlyList<HubFile> Take, IReadOnlyList<HubFile> Present, long Arrived)
{
    /// <summary>Bytes still to fetch.</summary>
    public long BytesToTake => Take.Sum(file => file.Size) - Arrived;
}

/// <summary>Pulls a model from a hub into the store: plan, fetch, manifest.</summary>
/// <param name="hub">The hub.</param>
/// <param name="store">The store.</param>
internal sealed class Pull(IHub hub, ModelStore store)
{
    /// <summary>Free space that must remain beside the download.</summary>
    private const long SpareBytes = 64L << 20;

    /// <summary>Lists, chooses, compares with what is there, and checks the disk.</summary>
    /// <exception cref="HubException">There is no such model, or no room for it.</exception>
    public async Task<PullPlan> PlanAsync(ModelReference reference, CancellationToken cancel)
    {
        IReadOnlyList<HubFile> chosen = FileSelection.Choose(reference, await hub.ListAsync(reference, cancel));
        string folder = store.FolderOf(reference);
        List<HubFile> take = [], present = [];
        long arrived = 0;
        foreach (HubFile file in chosen)
        {
            string path = Path.Combine(folder, file.Path);
            if (File.Exists(path) && await FileChecksum.FaultAsync(path, file, null, cancel) is null)
            {
                present.Add(file);
                continue;
            }

            take.Add(file);
            if (File.Exists(path + ".part"))
            {
                using PartFile part = PartFile.Open(path, file);
                arrived += part.BytesDone;
            }
        }

        PullPlan plan = new(reference, folder, take, present, arrived);
        long free = FreeBytes(folder);
        return plan.BytesToTake + SpareBytes <= free
            ? plan
            : throw new HubException($"{reference} needs {Bytes.Text(plan.BytesToTake)} more in {folder}, but only {Bytes.Text(free)} are free there. Make room, or choose another folder with GLIMMER_MODELS.");
    }

    /// <summary>Fetches what the plan says and writes the manifest.</summary>
    public async Task RunAsync(PullPlan plan, HubClient client, int connections, RetryPolicy retry, IDownloadObserver observer, CancellationToken cancel)
    {
        Directory.CreateDirectory(plan.Folder);
        await new Downloader(hub, client, connections, retry).FetchAsync(plan.Reference, plan.Take, plan.Folder, observer, cancel);
        ModelStore.Write(plan.Folder, new ModelManifest(plan.Reference.ToString(), hub.Name, [.. plan.Present.Concat(plan.Take).OrderBy(file => file.Path, StringComparer.Ordinal)]));
    }

    // The folder need not exist yet: the nearest one above it is on the same disk.
    private static long FreeBytes(string folder)
    {
        string? existing = folder;
        while (existing is not null && !Directory.Exists(existing))
            existing = Path.GetDirectoryName(existing);
        return new DriveInfo(existing ?? folder).AvailableFreeSpace;
    }
}
