using System.Net;
using System.Net.Sockets;

namespace Glimmer.Testing;

/// <summary>
/// Ports of loopback for what must be told its port before it listens, or listens on the same one again. They lie below those that systems give to whoever asks for
/// any port (32768 and up on Linux, 49152 and up elsewhere), so that nobody gets one of them by chance while it is not listened on.
/// </summary>
public static class LoopbackPorts
{
    private const int Slices = 12;
    private const int InSlice = 1_000;

    // Suites that run side by side draw from different ports, since a port is free between its being drawn and being listened on.
    private static readonly int _first = 20_000 + (Environment.ProcessId % Slices * InSlice);
    private static readonly HashSet<int> _taken = [];

    /// <summary>A port that nobody listens on and that this process was not given before.</summary>
    public static int Take()
    {
        lock (_taken)
        {
            for (int tries = 0; tries < 1000; tries++)
            {
                int port = _first + Random.Shared.Next(InSlice);
                if (!_taken.Contains(port) && IsFree(port) && _taken.Add(port))
                    return port;
            }
        }

        throw new InvalidOperationException($"No port between {_first} and {_first + InSlice} is free on loopback.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port) { ExclusiveAddressUse = true };
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
