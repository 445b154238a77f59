namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>Who reads a grammar in GBNF notation.</summary>
public enum GbnfDialect
{
    /// <summary>llama.cpp: control tokens are named by their ids (<c>&lt;[151352]&gt;</c>).</summary>
    Llama,

    /// <summary>
    /// xgrammar, as vLLM and SGLang use it: control tokens are written as their text, and a set of characters holds all that are not ASCII
    /// or none of them, since its sets (0.1.27) are of bytes.
    /// </summary>
    XGrammar,
}
