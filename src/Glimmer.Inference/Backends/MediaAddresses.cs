namespace Glimmer.Inference.Backends;

/// <summary>Which addresses of pictures and films a backend is handed, to fetch them from where it stands.</summary>
public enum MediaAddresses
{
    /// <summary>None: pictures and films come in the request. For engines, which stand in the operator's own network and reach what users must not.</summary>
    None,

    /// <summary>Those whose host is not known to be private. What a name resolves to, and where it redirects, the backend alone sees.</summary>
    Public,

    /// <summary>All of http and https, for users that are trusted as the operator.</summary>
    Any,
}
