namespace Glimmer.Cli.Hub;

/// <summary>Which hub to ask, from options and environment.</summary>
internal static class Hubs
{
    /// <summary>
    /// <c>hf</c> (default), <c>modelscope</c>, or the address of a mirror that speaks the Hugging Face protocol.
    /// <c>HF_ENDPOINT</c> and <c>MODELSCOPE_ENDPOINT</c> replace the addresses, <c>HF_TOKEN</c> and
    /// <c>MODELSCOPE_API_TOKEN</c> give tokens.
    /// </summary>
    /// <exception cref="HubException">The choice or an address is not usable.</exception>
    public static (IHub Hub, HubClient Client) Open(string? choice, RetryPolicy retry, Func<string, string?> environment)
    {
        choice ??= environment("GLIMMER_HUB") ?? "hf";
        switch (choice)
        {
            case "hf" or "huggingface":
                {
                    Uri endpoint = Address(environment("HF_ENDPOINT") ?? "https://huggingface.co", "HF_ENDPOINT");
                    HubClient client = new(endpoint, environment("HF_TOKEN") ?? environment("HUGGING_FACE_HUB_TOKEN"), retry);
                    return (new HuggingFaceHub(endpoint, client), client);
                }

            case "modelscope":
                {
                    Uri endpoint = Address(environment("MODELSCOPE_ENDPOINT") ?? "https://modelscope.cn", "MODELSCOPE_ENDPOINT");
                    HubClient client = new(endpoint, environment("MODELSCOPE_API_TOKEN"), retry);
                    return (new ModelScopeHub(endpoint, client), client);
                }

            default:
                {
                    Uri endpoint = Address(choice, "--hub");
                    HubClient client = new(endpoint, environment("HF_TOKEN"), retry);
                    return (new HuggingFaceHub(endpoint, client), client);
                }
        }
    }

    private static Uri Address(string text, string source) =>
        Uri.TryCreate(text.EndsWith('/') ? text : text + "/", UriKind.Absolute, out Uri? address) && address.Scheme is "https" or "http"
            ? address!
            : throw new HubException($"{source}: '{text}' is not a hub; use hf, modelscope or an address such as https://hf-mirror.com.");
}
