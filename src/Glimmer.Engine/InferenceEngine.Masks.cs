using System.Diagnostics.CodeAnalysis;
using Glimmer.Engine.Scheduling;

namespace Glimmer.Engine;

/// <summary>
/// Constraint masks, computed beside the forward pass: what a constraint allows next depends on the tokens so far, not
/// on their logits. A thread of its own begins at once; what it hasn't begun when the pass is over, the engine's
/// thread does itself.
/// </summary>
public sealed partial class InferenceEngine
{
    private const int NoMasks = 0;
    private const int MasksOffered = 1;
    private const int MasksTaken = 2;
    private readonly List<Sequence> _masked = [];
    private readonly SemaphoreSlim _masksWanted = new(0);
    private Thread? _maskThread;
    private int _maskState;
    private volatile bool _maskThreadEnds;

    private void StartMasks()
    {
        _masked.Clear();
        foreach (Sequence sequence in _planned)
        {
            if (!sequence.WantsToken || sequence.Request.Constraint is null)
                continue;
            if (!sequence.MaskReady)
                _masked.Add(sequence);
            sequence.MaskReady = false;
            sequence.MaskClaim = 0;
        }

        if (_masked.Count == 0)
            return;
        if (_maskThread is null)
        {
            _maskThread = new Thread(RunMasks) { IsBackground = true, Name = "glimmer-masks" };
            _maskThread.Start();
        }

        Volatile.Write(ref _maskState, MasksOffered);
        _masksWanted.Release();
    }

    private void FinishMasks()
    {
        if (_masked.Count == 0)
            return;
        ClaimMasks();
        // Not begun: take the offer back. Otherwise wait for the mask in work, and for the other thread to leave the list.
        if (Interlocked.CompareExchange(ref _maskState, NoMasks, MasksOffered) == MasksOffered)
            return;
        SpinWait spin = default;
        while (Volatile.Read(ref _maskState) == MasksTaken)
            spin.SpinOnce();
    }

    private void RunMasks()
    {
        while (true)
        {
            _masksWanted.Wait();
            if (_maskThreadEnds)
                return;
            if (Interlocked.CompareExchange(ref _maskState, MasksTaken, MasksOffered) != MasksOffered)
                continue;
            ClaimMasks();
            Volatile.Write(ref _maskState, NoMasks);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A constraint that fails ends its own request only; Deliver logs it.")]
    private void ClaimMasks()
    {
        foreach (Sequence sequence in _masked)
        {
            if (Interlocked.Exchange(ref sequence.MaskClaim, 1) != 0)
                continue;
            try
            {
                sequence.MaskRestricts = sequence.Request.Constraint!.FillMask(sequence.Mask);
            }
            catch (Exception exception)
            {
                sequence.Failure = exception;
            }
        }
    }

    private void EndMaskThread()
    {
        _maskThreadEnds = true;
        _masksWanted.Release();
        _maskThread?.Join();
        _masksWanted.Dispose();
    }
}
