namespace Glimmer.Server.Transport;

/// <summary>What may be logged of an exception: its types and where it came from. Its message may quote a prompt.</summary>
internal static class FaultText
{
    public static string Of(Exception fault)
    {
        string types = fault.GetType().FullName ?? fault.GetType().Name;
        for (Exception? inner = fault.InnerException; inner is not null; inner = inner.InnerException)
            types += " <- " + inner.GetType().FullName;
        return $"{types}\n{fault.StackTrace}";
    }
}
