using System.Net;
using System.Threading.Channels;

namespace Glimmer.Cli.Hub;

/// <summary>What a download tells while it runs. Called from several threads.</summary>
internal interface IDownloadObserver
{
    /// <summary>Bytes of a file arrived (negative when arrived bytes had to be dropped).</summary>
    void Received(HubFile file, long bytes);

    /// <summary>A file is complete and verified.</summary>
    void Completed(HubFile file);
}

/// <summary>
/// Fetches files in segments over several connections. A cut connection goes on where it was cut, an expired link is
/// asked for anew, a file with a wrong checksum is fetched once more and then refused.
/// </summary>
/// <param name="hub">Where the files are.</param>
/// <param name="client">Requests.</param>
/// <param name="connections">Connections at once, 1 to 32.</param>
/// <param name="retry">Pauses between attempts on a cut connection.</param>
internal sealed class Downloader(IHub hub, HubClient client, int connections, RetryPolicy retry)
{
    /// <summary>Fetches <paramref name="files"/> into <paramref name="folder"/>; what was there already is not asked for again.</summary>
    /// <exception cref="HubException">A file cannot be had, is not what the hub vouches for, or the disk is full. What arrived is kept for the next run.</exception>
    public async Task FetchAsync(ModelReference reference, IReadOnlyList<HubFile> files, string folder, IDownloadObserver observer, CancellationToken cancel)
    {
        List<PartFile> parts = [];
        try
        {
            foreach (HubFile file in files)
                parts.Add(PartFile.Open(Path.Combine(folder, file.Path), file));
            foreach (PartFile part in parts)
                observer.Received(part.File, part.BytesDone);
            await FetchAllAsync(reference, parts, observer, cancel);
            foreach (PartFile part in parts)
                await FinishAsync(reference, part, observer, cancel);
        }
        catch (IOException full) when (IsDiskFull(full))
        {
            throw new HubException($"The disk that holds {folder} is full. What arrived is kept: make room and pull again to go on.", full);
        }
        finally
        {
            foreach (PartFile part in parts)
                part.Dispose();
        }
    }

    private async Task FinishAsync(ModelReference reference, PartFile part, IDownloadObserver observer, CancellationToken cancel)
    {
        string? fault = await part.FaultAsync(cancel);
        if (fault is not null)
        {
            observer.Received(part.File, -part.File.Size);
            part.Restart();
            await FetchAllAsync(reference, [part], observer, cancel);
            fault = await part.FaultAsync(cancel);
        }

        if (fault is not null)
        {
            part.Restart();
            throw new HubException($"{part.File.Path} from {hub.Name} is not what it should be ({fault}), twice. Try another mirror.");
        }

        part.Complete();
        observer.Completed(part.File);
    }

    private async Task FetchAllAsync(ModelReference reference, IReadOnlyList<PartFile> parts, IDownloadObserver observer, CancellationToken cancel)
    {
        Channel<(PartFile Part, int Segment)> work = Channel.CreateUnbounded<(PartFile, int)>();
        foreach (PartFile part in parts)
        {
            for (int segment = 0; segment < part.Segments; segment++)
            {
                if (part.Missing(segment) is not null)
                    work.Writer.TryWrite((part, segment));
            }
        }

        work.Writer.Complete();
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task[] workers = [.. Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            try
            {
                await foreach ((PartFile part, int segment) in work.Reader.ReadAllAsync(stop.Token))
                    await FetchSegmentAsync(reference, part, segment, observer, stop.Token);
            }
            catch
            {
                await stop.CancelAsync(); // one failure ends the others; WhenAll below reports the first cause
                throw;
            }
        }, CancellationToken.None))];
        try
        {
            await Task.WhenAll(workers);
        }
        catch
        {
            cancel.ThrowIfCancellationRequested();
            Exception? cause = workers.SelectMany(worker => worker.Exception?.InnerExceptions ?? []).FirstOrDefault(failure => failure is not OperationCanceledException);
            if (cause is not null)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause);
            throw;
        }
        finally
        {
            foreach (PartFile part in parts)
                part.SaveLog();
        }
    }

    private async Task FetchSegmentAsync(ModelReference reference, PartFile part, int segment, IDownloadObserver observer, CancellationToken cancel)
    {
        // Attempts without progress are counted: a line that is cut again and again but moves on is not given up.
        int idle = 0;
        while (part.Missing(segment) is { } missing)
        {
            long before = part.Missing(segment)!.Value.From;
            string? trouble = null;
            try
            {
                using HttpResponseMessage response = await client.GetAsync(hub.AddressOf(reference, part.File), missing.From, missing.To, cancel);
                trouble = await ReceiveAsync(response, part, segment, missing.From, observer, cancel);
            }
            catch (Exception cut) when (cut is HttpRequestException or HttpIOException || cut is IOException && !IsDiskFull(cut))
            {
                trouble = cut.Message;
            }

            if (trouble is null)
                continue;
            idle = part.Missing(segment)?.From > before ? 0 : idle + 1;
            if (idle >= retry.Attempts)
                throw new HubException($"{part.File.Path} could not be fetched from {hub.Name}: {trouble} What arrived is kept: pull again to go on.");
            await Task.Delay(retry.Delay(idle, null), retry.Time, cancel);
        }
    }

    // Returns what went wrong when another attempt may help; throws when it cannot.
    private async Task<string?> ReceiveAsync(HttpResponseMessage response, PartFile part, int segment, long from, IDownloadObserver observer, CancellationToken cancel)
    {
        long skip = 0;
        switch (response.StatusCode)
        {
            case HttpStatusCode.PartialContent:
                if (response.Content.Headers.ContentRange is { From: { } start } && start != from)
                    return $"the server sent bytes from {start} where {from} was asked for.";
                break;
            case HttpStatusCode.OK:
                skip = from; // the server does not know ranges: what we have is read past
                break;
            case HttpStatusCode.Forbidden or HttpStatusCode.Gone:
                return $"the link has expired or is refused ({(int)response.StatusCode})."; // the next attempt asks the hub for a new one
            case HttpStatusCode.Unauthorized:
                throw new HubException($"{hub.Name} wants a token for {part.File.Path}; set the token's environment variable (HF_TOKEN, MODELSCOPE_API_TOKEN).");
            case HttpStatusCode.NotFound:
                throw new HubException($"{hub.Name} lists {part.File.Path} but does not have it (404).");
            default:
                return $"the server answered {(int)response.StatusCode}.";
        }

        await using Stream body = await response.Content.ReadAsStreamAsync(cancel);
        byte[] buffer = new byte[256 << 10];
        while (part.Missing(segment) is { } missing)
        {
            int read = await body.ReadAsync(buffer, cancel);
            if (read == 0)
                return "the connection ended early.";
            if (skip >= read)
            {
                skip -= read;
                continue;
            }

            ReadOnlyMemory<byte> news = buffer.AsMemory((int)skip, read - (int)skip);
            skip = 0;
            if (news.Length > missing.To - missing.From + 1)
                news = news[..(int)(missing.To - missing.From + 1)];
            await part.AppendAsync(segment, news, cancel);
            observer.Received(part.File, news.Length);
        }

        return null;
    }

    // ENOSPC and EDQUOT on Unix, ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL on Windows.
    private static bool IsDiskFull(Exception failure) =>
        failure is IOException { HResult: 28 or 122 or unchecked((int)0x80070070) or unchecked((int)0x80070027) };
}
