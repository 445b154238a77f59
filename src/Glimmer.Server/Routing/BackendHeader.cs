using Glimmer.Inference;
using Glimmer.Inference.Routing;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Routing;

/// <summary>Which backend answers, in the header <c>X-Glimmer-Backend</c> where the operator allows it.</summary>
internal static class BackendHeader
{
    /// <summary>Name of the header.</summary>
    public const string Name = "X-Glimmer-Backend";

    /// <summary>Writes the header when the others go out: another backend may take over until the first event.</summary>
    public static void WriteAtStart(HttpResponse response, IChatAnswer answer, IChatBackend backend) =>
        response.OnStarting(() =>
        {
            if (response.StatusCode == StatusCodes.Status200OK)
                response.Headers[Name] = NameOf(answer, backend);
            return Task.CompletedTask;
        });

    /// <summary>Who answers; several with commas between, each once.</summary>
    public static string NameOf(IChatAnswer answer, IChatBackend backend) => answer switch
    {
        IRoutedAnswer routed => routed.Backend is { Length: > 0 } name ? name : backend.Name,
        ChoiceSet set => string.Join(',', set.Answers.Select(each => NameOf(each, backend)).Distinct(StringComparer.Ordinal)),
        _ => backend.Name,
    };
}
