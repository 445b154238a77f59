namespace Glimmer.Server.Tasks;

/// <summary>Marks a request that a task makes inside the server: its key stands for itself, and its charge waits for the task's leave.</summary>
/// <param name="KeyId">Public id of the key that gave the task.</param>
/// <param name="IsCharged">Whether a former run of it was charged: this one costs nothing.</param>
/// <param name="Confirm">Asked before the charge: whether the run is still this node's.</param>
internal sealed record TaskCall(string KeyId, bool IsCharged, Func<Task<bool>> Confirm)
{
    /// <summary>The task behind a request; null for one that came over the wire.</summary>
    public static TaskCall? Of(HttpContext context) => context.Features.Get<TaskCall>();
}
