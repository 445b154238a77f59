namespace Glimmer.Inference.Routing;

/// <summary>An answer that one of several backends gives, and which.</summary>
public interface IRoutedAnswer : IChatAnswer
{
    /// <summary>Name of the backend that answers; it may change until the first event.</summary>
    string Backend { get; }

    /// <summary>How many backends were asked.</summary>
    int Attempts { get; }
}
