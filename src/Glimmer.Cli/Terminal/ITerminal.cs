namespace Glimmer.Cli.Terminal;

/// <summary>The keys and the screen that a <see cref="LineEditor"/> works with; tests have one of their own.</summary>
internal interface ITerminal
{
    /// <summary>Columns of the screen, at least 1.</summary>
    int Width { get; }

    /// <summary>Waits for a key; null when input has ended.</summary>
    ConsoleKeyInfo? ReadKey();

    /// <summary>Whether another key is waiting already (part of a paste).</summary>
    bool KeyWaiting { get; }

    /// <summary>Writes text and control sequences.</summary>
    void Write(string text);
}

/// <summary>The process's console.</summary>
internal sealed class ConsoleTerminal : ITerminal
{
    /// <inheritdoc/>
    public int Width => Console.WindowWidth is > 0 and int columns ? columns : 80; // a terminal that does not say is taken for a usual one

    /// <inheritdoc/>
    public bool KeyWaiting => Console.KeyAvailable;

    /// <inheritdoc/>
    public ConsoleKeyInfo? ReadKey() => Console.ReadKey(intercept: true);

    /// <inheritdoc/>
    public void Write(string text) => Console.Write(text);
}
