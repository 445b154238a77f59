using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;

namespace Glimmer.Load.Paced;

/// <summary>
/// The engine of a latency measurement: one thread makes a token for each open answer at a fixed rate, all at once as a batched forward pass does, or spread over the period. A token
/// is the time of its making, by the machine's monotonic clock, which every process of the machine reads alike.
/// </summary>
internal sealed class PacedTokens : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Answer> _answers = [];
    private readonly bool _together;
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <summary>Starts the thread.</summary>
    /// <param name="together">Whether all answers get their tokens at the same moment.</param>
    public PacedTokens(bool together)
    {
        _together = together;
        _thread = new Thread(Run) { IsBackground = true, Name = "paced tokens" };
        _thread.Start();
    }

    /// <summary>Begins an answer; its first token is there at once.</summary>
    /// <param name="count">Tokens.</param>
    /// <param name="rate">Tokens per second; 0 for all at once.</param>
    public ChannelReader<string> Open(int count, double rate)
    {
        Answer answer = new(count, rate <= 0 ? 0 : (long)(Stopwatch.Frequency / rate));
        answer.Make(Stopwatch.GetTimestamp());
        if (answer.Period == 0)
        {
            while (!answer.Done)
                answer.Make(Stopwatch.GetTimestamp());
        }
        else if (!answer.Done)
        {
            lock (_gate)
            {
                answer.Due = _together && _answers.Count > 0 ? _answers[0].Due : Stopwatch.GetTimestamp() + answer.Period;
                _answers.Add(answer);
            }
        }

        return answer.Tokens.Reader;
    }

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_stopping)
        {
            lock (_gate)
            {
                for (int i = _answers.Count - 1; i >= 0; i--)
                {
                    Answer answer = _answers[i];
                    if (answer.Due > Stopwatch.GetTimestamp())
                        continue;
                    answer.Due += answer.Period;
                    answer.Make(Stopwatch.GetTimestamp());
                    if (answer.Done)
                        _answers.RemoveAt(i);
                }
            }

            Thread.Sleep(1);
        }
    }

    private sealed class Answer(int count, long period)
    {
        private int _made;

        public Channel<string> Tokens { get; } = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });

        public long Period => period;

        public long Due { get; set; }

        public bool Done => _made >= count;

        public void Make(long now)
        {
            Tokens.Writer.TryWrite(string.Create(CultureInfo.InvariantCulture, $"@{now};"));
            if (++_made >= count)
                Tokens.Writer.TryComplete();
        }
    }
}
