using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>One validation: walks schema and value together.</summary>
internal sealed class SchemaEvaluation(SchemaIndex index, List<SchemaViolation>? violations)
{
    private const int MaxDepth = 1_000;
    private const int MaxViolations = 20;

    private readonly List<string> _scope = [index.RootBase];
    private int _depth;
    private int _silent;

    /// <summary>Whether the value satisfies the schema; adds the parts of the value that were looked at.</summary>
    public bool Evaluate(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        if (schema.ValueKind == JsonValueKind.True)
            return true;
        if (schema.ValueKind == JsonValueKind.False)
            return Fail(at, "", "nothing is allowed here");
        if (schema.ValueKind != JsonValueKind.Object)
            throw new JsonSchemaException("", "A schema must be an object, true or false");
        if (++_depth > MaxDepth)
            throw new JsonSchemaException("", $"Validation went deeper than {MaxDepth}; the schema may refer to itself without end");
        string resource = SchemaIndex.BaseOf(schema, _scope[^1]);
        bool entered = resource != _scope[^1];
        if (entered)
            _scope.Add(resource);

        EvaluatedParts own = new();
        bool valid = EvaluateReferences(schema, instance, at, own)
            & EvaluateCombinations(schema, instance, at, own)
            & ValueKeywords.Check(schema, instance, (keyword, message) => Fail(at, keyword, message))
            & EvaluateMembers(schema, instance, at, own)
            & EvaluateItems(schema, instance, at, own);
        valid &= EvaluateUnevaluated(schema, instance, at, own);
        if (valid)
            parts.Add(own);

        if (entered)
            _scope.RemoveAt(_scope.Count - 1);
        _depth--;
        return valid;
    }

    private bool Fail(string at, string keyword, string message)
    {
        if (_silent == 0 && violations is not null && violations.Count < MaxViolations)
            violations.Add(new(at, keyword, message));
        return false;
    }

    /// <summary>Evaluates without reporting: the outcome is one of several that may hold.</summary>
    private bool Try(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        _silent++;
        bool valid = Evaluate(schema, instance, at, parts);
        _silent--;
        return valid;
    }

    private bool EvaluateReferences(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        bool valid = true;
        if (schema.TryGetProperty("$ref", out JsonElement reference))
            valid &= EvaluateAt(index.Resolve(reference.GetString()!, _scope[^1]), instance, at, parts);
        if (schema.TryGetProperty("$dynamicRef", out JsonElement dynamic))
            valid &= EvaluateAt(ResolveDynamic(dynamic.GetString()!), instance, at, parts);
        return valid;
    }

    private bool EvaluateAt(SchemaPlace place, JsonElement instance, string at, EvaluatedParts parts)
    {
        _scope.Add(place.Base);
        bool valid = Evaluate(place.Element, instance, at, parts);
        _scope.RemoveAt(_scope.Count - 1);
        return valid;
    }

    private SchemaPlace ResolveDynamic(string reference)
    {
        SchemaPlace place = index.Resolve(reference, _scope[^1]);
        int hash = reference.IndexOf('#', StringComparison.Ordinal);
        string anchor = hash < 0 ? "" : reference[(hash + 1)..];
        if (anchor.Length == 0 || anchor[0] == '/' || !index.HasDynamicAnchor(place.Base, anchor))
            return place;

        // The outermost resource on the way here that has the same dynamic anchor.
        foreach (string resource in _scope)
        {
            if (index.HasDynamicAnchor(resource, anchor))
                return index.Anchor(resource, anchor);
        }

        return place;
    }

    private bool EvaluateCombinations(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        bool valid = true;
        if (schema.TryGetProperty("allOf", out JsonElement all))
        {
            foreach (JsonElement part in all.EnumerateArray())
                valid &= Evaluate(part, instance, at, parts);
        }

        if (schema.TryGetProperty("anyOf", out JsonElement any))
        {
            bool some = false;
            foreach (JsonElement part in any.EnumerateArray())
                some |= Try(part, instance, at, parts);
            valid &= some || Fail(at, "anyOf", "none of the alternatives is satisfied");
        }

        if (schema.TryGetProperty("oneOf", out JsonElement one))
        {
            int count = 0;
            foreach (JsonElement part in one.EnumerateArray())
                count += Try(part, instance, at, parts) ? 1 : 0;
            valid &= count == 1 || Fail(at, "oneOf", $"{count} of the alternatives are satisfied, not one");
        }

        if (schema.TryGetProperty("not", out JsonElement not) && Try(not, instance, at, new EvaluatedParts()))
            valid = Fail(at, "not", "what must not hold does");
        if (schema.TryGetProperty("if", out JsonElement condition))
        {
            bool met = Try(condition, instance, at, parts);
            if (schema.TryGetProperty(met ? "then" : "else", out JsonElement branch))
                valid &= Evaluate(branch, instance, at, parts);
        }

        if (instance.ValueKind == JsonValueKind.Object && schema.TryGetProperty("dependentSchemas", out JsonElement dependent))
        {
            foreach (JsonProperty entry in dependent.EnumerateObject())
            {
                if (instance.TryGetProperty(entry.Name, out _))
                    valid &= Evaluate(entry.Value, instance, at, parts);
            }
        }

        return valid;
    }

    private bool EvaluateMembers(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        if (instance.ValueKind != JsonValueKind.Object)
            return true;
        bool valid = true;
        schema.TryGetProperty("properties", out JsonElement properties);
        schema.TryGetProperty("patternProperties", out JsonElement patterns);
        bool hasNames = schema.TryGetProperty("propertyNames", out JsonElement names);
        bool hasAdditional = schema.TryGetProperty("additionalProperties", out JsonElement additional);
        foreach (JsonProperty member in instance.EnumerateObject())
        {
            string place = JsonPointer.Append(at, member.Name);
            bool known = false;
            if (properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(member.Name, out JsonElement property))
            {
                known = true;
                valid &= Evaluate(property, member.Value, place, new EvaluatedParts());
            }

            if (patterns.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty pattern in patterns.EnumerateObject())
                {
                    if (!PatternMatcher.IsMatch(pattern.Name, member.Name))
                        continue;
                    known = true;
                    valid &= Evaluate(pattern.Value, member.Value, place, new EvaluatedParts());
                }
            }

            if (!known && hasAdditional)
            {
                known = true;
                valid &= Evaluate(additional, member.Value, place, new EvaluatedParts());
            }

            if (known)
                parts.Properties.Add(member.Name);
            if (hasNames)
                valid &= Evaluate(names, JsonSerializer.SerializeToElement(member.Name), place, new EvaluatedParts());
        }

        return valid;
    }

    private bool EvaluateItems(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        if (instance.ValueKind != JsonValueKind.Array)
            return true;
        bool valid = true;
        bool hasPrefix = schema.TryGetProperty("prefixItems", out JsonElement prefix);
        int prefixLength = hasPrefix ? prefix.GetArrayLength() : 0;
        bool hasItems = schema.TryGetProperty("items", out JsonElement items);
        bool hasContains = schema.TryGetProperty("contains", out JsonElement contains);
        int matches = 0;
        int i = 0;
        foreach (JsonElement item in instance.EnumerateArray())
        {
            string place = JsonPointer.Append(at, i);
            if (i < prefixLength || hasItems)
            {
                valid &= Evaluate(i < prefixLength ? prefix[i] : items, item, place, new EvaluatedParts());
                parts.Items.Add(i);
            }

            if (hasContains && Try(contains, item, place, new EvaluatedParts()))
            {
                matches++;
                parts.Items.Add(i);
            }

            i++;
        }

        if (hasContains)
        {
            int least = schema.TryGetProperty("minContains", out JsonElement min) ? ValueKeywords.Bound(min) : 1;
            int most = schema.TryGetProperty("maxContains", out JsonElement max) ? ValueKeywords.Bound(max) : int.MaxValue;
            if (matches < least || matches > most)
                valid = Fail(at, "contains", $"{matches} items match, which is too {(matches < least ? "few" : "many")}");
        }

        return valid;
    }

    private bool EvaluateUnevaluated(JsonElement schema, JsonElement instance, string at, EvaluatedParts parts)
    {
        bool valid = true;
        if (instance.ValueKind == JsonValueKind.Object && schema.TryGetProperty("unevaluatedProperties", out JsonElement properties))
        {
            foreach (JsonProperty member in instance.EnumerateObject())
            {
                if (!parts.Properties.Contains(member.Name))
                    valid &= Evaluate(properties, member.Value, JsonPointer.Append(at, member.Name), new EvaluatedParts());
                parts.Properties.Add(member.Name);
            }
        }

        if (instance.ValueKind == JsonValueKind.Array && schema.TryGetProperty("unevaluatedItems", out JsonElement items))
        {
            int i = 0;
            foreach (JsonElement item in instance.EnumerateArray())
            {
                if (!parts.Items.Contains(i))
                    valid &= Evaluate(items, item, JsonPointer.Append(at, i), new EvaluatedParts());
                parts.Items.Add(i++);
            }
        }

        return valid;
    }
}
