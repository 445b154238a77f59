namespace Glimmer.Server.Tasks;

/// <summary>Kinds of tasks, as the store has them.</summary>
internal static class TaskKinds
{
    /// <summary>A chat request of the native base.</summary>
    public const string Chat = "chat";

    /// <summary>A response made in the background.</summary>
    public const string Responses = Platform.Responses.ResponseTasks.Kind;

    /// <summary>A request of the Anthropic base.</summary>
    public const string Messages = "messages";
}
