using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>How characters are written as bytes.</summary>
internal enum TextEncoding
{
    /// <summary>Plain UTF-8.</summary>
    Raw,

    /// <summary>A JSON string with its quotes and any legal escape (RFC 8259 §7); escaped surrogates come in pairs.</summary>
    JsonString,
}

/// <summary>
/// The texts of an automaton over characters, as UTF-8 or as a JSON string. The bytes are decoded as they come, so that the
/// automaton needs no table per byte: the state packs its state, the decoder's mode and the character begun. A byte is refused as soon
/// as no character that it can begin leads on, thus UTF-8 is always valid and a half character can always be finished.
/// </summary>
internal sealed class TextTerminal(CodePointAutomaton automaton, TextEncoding encoding) : Terminal
{
    // State: bits 0–31 the automaton's state, 32–39 the mode, 40–63 the value of a character begun.
    private const int ModeShift = 32;
    private const int PartialShift = 40;

    /// <summary>Any text, as UTF-8.</summary>
    public static TextTerminal AnyRaw { get; } = new(LengthAutomaton.Unbounded, TextEncoding.Raw) { IsShared = true };

    /// <summary>Any JSON string.</summary>
    public static TextTerminal AnyJsonString { get; } = new(LengthAutomaton.Unbounded, TextEncoding.JsonString);

    private enum Mode
    {
        /// <summary>Between characters.</summary>
        Body,

        /// <summary>Before the opening quote.</summary>
        Opening,

        /// <summary>After the closing quote.</summary>
        Closed,

        /// <summary>One, two or three bytes of a UTF-8 sequence to come.</summary>
        Utf8One,
        Utf8Two,
        Utf8Three,

        /// <summary>After a reverse solidus.</summary>
        Escape,

        /// <summary>After <c>\u</c> and 0 to 3 digits.</summary>
        Hex0,
        Hex1,
        Hex2,
        Hex3,

        /// <summary>After an escaped high surrogate, its reverse solidus, its u and 0 to 3 digits.</summary>
        LowEscape,
        LowU,
        Low0,
        Low1,
        Low2,
        Low3,
    }

    public CodePointAutomaton Automaton => automaton;

    public TextEncoding Encoding => encoding;

    public override ulong Start =>
        Pack(Math.Max(automaton.Start, 0), encoding == TextEncoding.JsonString ? Mode.Opening : Mode.Body, 0);

    public override bool IsEmpty => automaton.Start < 0;

    /// <summary>The state between characters in which the automaton is in a given state.</summary>
    public static ulong BodyState(int automatonState) => Pack(automatonState, Mode.Body, 0);

    /// <summary>Whether the state lies between two characters of the body; if so its automaton's state is returned.</summary>
    public static bool IsBody(ulong state, out int automatonState)
    {
        automatonState = (int)(uint)state;
        return ModeOf(state) == Mode.Body;
    }

    /// <summary>Whether a character has been begun and not finished.</summary>
    public static bool IsInsideCharacter(ulong state) => ModeOf(state) >= Mode.Utf8One;

    public override bool IsAccepting(ulong state) =>
        encoding == TextEncoding.JsonString
            ? ModeOf(state) == Mode.Closed
            : ModeOf(state) == Mode.Body && automaton.IsAccepting((int)(uint)state);

    public override bool CanStep(ulong state) => ModeOf(state) switch
    {
        Mode.Closed => false,
        Mode.Body when encoding == TextEncoding.Raw => automaton.CanStep((int)(uint)state),
        _ => true,
    };

    public override bool TryStep(ulong state, byte value, out ulong next)
    {
        int q = (int)(uint)state;
        int partial = (int)(state >> PartialShift);
        Mode mode = ModeOf(state);
        switch (mode)
        {
            case Mode.Body:
                return StepBody(q, value, out next);
            case Mode.Opening:
                next = Pack(q, Mode.Body, 0);
                return value == (byte)'"';
            case Mode.Utf8One:
            case Mode.Utf8Two:
            case Mode.Utf8Three:
                if ((value & 0xC0) == 0x80 && !IsOverlong(mode, partial, value))
                    return StepUtf8(q, mode - Mode.Utf8One, (partial << 6) | (value & 0x3F), out next);
                break;
            case Mode.Escape:
                return StepEscape(q, value, out next);
            case Mode.Hex0:
            case Mode.Hex1:
            case Mode.Hex2:
            case Mode.Hex3:
                if (HexValue(value) is >= 0 and int digit)
                    return StepHex(q, mode - Mode.Hex0 + 1, (partial << 4) | digit, out next);
                break;
            case Mode.LowEscape:
                next = Pack(q, Mode.LowU, partial);
                return value == (byte)'\\';
            case Mode.LowU:
                next = Pack(q, Mode.Low0, partial << 12);
                return value == (byte)'u';
            case Mode.Low0:
            case Mode.Low1:
            case Mode.Low2:
            case Mode.Low3:
                if (HexValue(value) is >= 0 and int lowDigit)
                    return StepLow(q, mode - Mode.Low0, partial, lowDigit, out next);
                break;
        }

        next = 0;
        return false;
    }

    public override void AddNextBytes(ulong state, Span<ulong> following)
    {
        switch (ModeOf(state))
        {
            case Mode.Opening:
                following[0] |= 1UL << '"';
                break;
            case Mode.Body when automaton is LengthAutomaton:
                AddBodyBytes((int)(uint)state, following);
                break;
            default:
                base.AddNextBytes(state, following);
                break;
        }
    }

    /// <summary>The same for automata that do not tell characters apart.</summary>
    private void AddBodyBytes(int q, Span<ulong> following)
    {
        bool quoted = encoding == TextEncoding.JsonString;
        if (quoted && automaton.IsAccepting(q))
            following[0] |= 1UL << '"';
        if (!automaton.CanStep(q))
            return;
        const ulong Quote = 1UL << '"';
        following[0] |= quoted ? ~(0xFFFFFFFFUL | Quote) : ulong.MaxValue;
        following[1] |= ulong.MaxValue;

        // The first bytes of UTF-8 sequences are C2 to F4.
        following[3] |= (1UL << 0x35) - (1UL << 2);
    }

    private static Mode ModeOf(ulong state) => (Mode)(byte)(state >> ModeShift);

    private static ulong Pack(int automatonState, Mode mode, int partial) =>
        (uint)automatonState | ((ulong)mode << ModeShift) | ((ulong)(uint)partial << PartialShift);

    /// <summary>Whether a second byte makes a form longer than the character needs: after E0 it is at least A0, after F0 at least 90.</summary>
    private static bool IsOverlong(Mode mode, int prefix, byte value) =>
        prefix == 0 && ((mode == Mode.Utf8Two && value < 0xA0) || (mode == Mode.Utf8Three && value < 0x90));

    private static int HexValue(byte value) => value switch
    {
        >= (byte)'0' and <= (byte)'9' => value - '0',
        >= (byte)'a' and <= (byte)'f' => value - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => value - 'A' + 10,
        _ => -1,
    };

    private bool Character(int q, int codePoint, out ulong next)
    {
        int target = automaton.Next(q, codePoint);
        next = Pack(target, Mode.Body, 0);
        return target >= 0;
    }

    private bool StepBody(int q, byte value, out ulong next)
    {
        if (value >= 0x80)
        {
            return value switch
            {
                >= 0xC2 and <= 0xDF => StepUtf8(q, 1, value & 0x1F, out next),
                >= 0xE0 and <= 0xEF => StepUtf8(q, 2, value & 0x0F, out next),
                >= 0xF0 and <= 0xF4 => StepUtf8(q, 3, value & 0x07, out next),
                _ => Refuse(out next),
            };
        }

        if (encoding == TextEncoding.JsonString)
        {
            if (value == (byte)'"')
            {
                next = Pack(0, Mode.Closed, 0);
                return automaton.IsAccepting(q);
            }

            if (value == (byte)'\\')
            {
                next = Pack(q, Mode.Escape, 0);
                return automaton.CanStep(q);
            }

            if (value < 0x20)
                return Refuse(out next);
        }

        return Character(q, value, out next);
    }

    private static bool Refuse(out ulong next)
    {
        next = 0;
        return false;
    }

    /// <summary>After a byte of a UTF-8 sequence: <paramref name="remaining"/> bytes are still to come.</summary>
    private bool StepUtf8(int q, int remaining, int prefix, out ulong next)
    {
        if (remaining == 0)
            return Character(q, prefix, out next);
        int first = prefix << (6 * remaining);
        int last = first | ((1 << (6 * remaining)) - 1);

        // Only after E0 are two bytes to come with nothing before them; a four-byte sequence has at least 10 hex by then.
        if (remaining == 2 && prefix == 0)
            first = Math.Max(first, 0x800);
        if (remaining == 3)
            first = Math.Max(first, 0x10000);
        last = Math.Min(last, CodePointSet.MaxCodePoint);
        next = Pack(q, Mode.Utf8One + remaining - 1, prefix);
        return first <= last && automaton.CanStep(q, first, last);
    }

    private bool StepEscape(int q, byte value, out ulong next)
    {
        switch (value)
        {
            case (byte)'"' or (byte)'\\' or (byte)'/':
                return Character(q, value, out next);
            case (byte)'b':
                return Character(q, '\b', out next);
            case (byte)'f':
                return Character(q, '\f', out next);
            case (byte)'n':
                return Character(q, '\n', out next);
            case (byte)'r':
                return Character(q, '\r', out next);
            case (byte)'t':
                return Character(q, '\t', out next);
            case (byte)'u':
                next = Pack(q, Mode.Hex0, 0);
                return true;
            default:
                return Refuse(out next);
        }
    }

    /// <summary>After a number of digits of <c>\u</c>.</summary>
    private bool StepHex(int q, int digits, int value, out ulong next)
    {
        int shift = 4 * (4 - digits);
        int first = value << shift;
        int last = first | ((1 << shift) - 1);
        if (digits == 4)
        {
            if (value is >= 0xD800 and <= 0xDBFF)
            {
                next = Pack(q, Mode.LowEscape, value & 0x3FF);
                return CanPair(q, value, value);
            }

            return value is >= 0xDC00 and <= 0xDFFF ? Refuse(out next) : Character(q, value, out next);
        }

        next = Pack(q, Mode.Hex0 + digits, value);
        return automaton.CanStep(q, first, last) || CanPair(q, Math.Max(first, 0xD800), Math.Min(last, 0xDBFF));
    }

    private bool CanPair(int q, int firstHigh, int lastHigh) =>
        firstHigh <= lastHigh
        && automaton.CanStep(q, 0x10000 + ((firstHigh & 0x3FF) << 10), 0x10000 + ((lastHigh & 0x3FF) << 10) + 0x3FF);

    /// <summary>A digit of the low surrogate; the partial value holds ten bits of the high one and up to three digits.</summary>
    private bool StepLow(int q, int digitsBefore, int partial, int digit, out ulong next)
    {
        int high = partial >> 12;
        int value = ((partial & 0xFFF) << 4) | digit;
        int shift = 4 * (3 - digitsBefore);
        int first = Math.Max(value << shift, 0xDC00);
        int last = Math.Min((value << shift) | ((1 << shift) - 1), 0xDFFF);
        if (first > last)
            return Refuse(out next);
        int origin = 0x10000 + (high << 10) - 0xDC00;
        if (digitsBefore == 3)
            return Character(q, origin + value, out next);
        next = Pack(q, Mode.Low1 + digitsBefore, (high << 12) | value);
        return automaton.CanStep(q, origin + first, origin + last);
    }
}
