using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Cli.Configuring;
using Glimmer.Cli.Tests.EndToEnd;

namespace Glimmer.Cli.Tests.Configuring;

public sealed class ConfiguredToolTests : IDisposable
{
    private static readonly ToolSettings Settings = new("http://h:1", "0123abcd.secretsecret", "glm-4.7", "glm-4.5-air");
    private readonly string _home = Directory.CreateTempSubdirectory("glimmer-configure-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Theory]
    [InlineData("claude-code", "", """
        {
          "env": {
            "ANTHROPIC_BASE_URL": "http://h:1/api/anthropic",
            "ANTHROPIC_AUTH_TOKEN": "0123abcd.secretsecret",
            "ANTHROPIC_DEFAULT_OPUS_MODEL": "glm-4.7",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "glm-4.7",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "glm-4.5-air",
            "API_TIMEOUT_MS": "3000000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"
          }
        }

        """)]
    [InlineData("opencode", """
        {
          // my theme
          "theme": "dark", /* stays */
          "provider": {
            "other": { "name": "x" }, // last
          },
        }

        """, """
        {
          // my theme
          "theme": "dark", /* stays */
          "provider": {
            "other": { "name": "x" }, // last
            "glimmer": {
              "npm": "@ai-sdk/openai-compatible",
              "name": "Glimmer",
              "options": {
                "baseURL": "http://h:1/api/paas/v4",
                "apiKey": "0123abcd.secretsecret"
              },
              "models": {
                "glm-4.7": {
                  "limit": {
                    "context": 200000,
                    "output": 131072
                  }
                },
                "glm-4.5-air": {
                  "limit": {
                    "context": 200000,
                    "output": 131072
                  }
                }
              }
            }
          },
          "$schema": "https://opencode.ai/config.json",
          "model": "glimmer/glm-4.7",
          "small_model": "glimmer/glm-4.5-air"
        }

        """)]
    [InlineData("kilo", """
        {
          "mcp": {}, // mine
        }

        """, """
        {
          "mcp": {}, // mine
          "provider": {
            "glimmer": {
              "npm": "@ai-sdk/openai-compatible",
              "name": "Glimmer",
              "options": {
                "baseURL": "http://h:1/api/paas/v4",
                "apiKey": "0123abcd.secretsecret"
              },
              "models": {
                "glm-4.7": {
                  "limit": {
                    "context": 200000,
                    "output": 131072
                  }
                },
                "glm-4.5-air": {
                  "limit": {
                    "context": 200000,
                    "output": 131072
                  }
                }
              }
            }
          },
          "model": "glimmer/glm-4.7",
          "small_model": "glimmer/glm-4.5-air"
        }

        """)]
    [InlineData("goose", "", """
        {
          "name": "glimmer",
          "engine": "openai",
          "display_name": "Glimmer",
          "description": "GLM models of a Glimmer server",
          "api_key_env": "",
          "base_url": "http://h:1/v1/chat/completions",
          "models": [
            {
              "name": "glm-4.7",
              "context_limit": 200000
            },
            {
              "name": "glm-4.5-air",
              "context_limit": 200000
            }
          ],
          "headers": {
            "Authorization": "Bearer 0123abcd.secretsecret"
          },
          "timeout_seconds": 3000,
          "supports_streaming": true,
          "requires_auth": false
        }

        """)]
    [InlineData("roo", """{"providerProfiles":{"currentApiConfigName":"x","apiConfigs":{"x":{"apiProvider":"ollama"}}},"globalSettings":{"mode":"code"}}""", """
        {"providerProfiles":{"currentApiConfigName":"Glimmer","apiConfigs":{"x":{"apiProvider":"ollama"},
          "Glimmer": {
            "id": "glimmer",
            "apiProvider": "openai",
            "openAiBaseUrl": "http://h:1/v1",
            "openAiApiKey": "0123abcd.secretsecret",
            "openAiModelId": "glm-4.7",
            "openAiCustomModelInfo": {
              "maxTokens": 131072,
              "contextWindow": 200000,
              "supportsImages": false,
              "supportsPromptCache": true
            }
          }
        }},"globalSettings":{"mode":"code"}}
        """)]
    [InlineData("codex", """
        # mine
        model = "o3" # old
        approval_policy = "never"

        [tools]
        model_provider = "of another table"

        """, """
        # mine
        model = "glm-4.7"
        approval_policy = "never"
        model_provider = "glimmer"

        [tools]
        model_provider = "of another table"

        [model_providers.glimmer]
        name = "Glimmer"
        base_url = "http://h:1/v1"
        wire_api = "responses"
        experimental_bearer_token = "0123abcd.secretsecret"

        """)]
    [InlineData("codex", "", """
        model = "glm-4.7"
        model_provider = "glimmer"

        [model_providers.glimmer]
        name = "Glimmer"
        base_url = "http://h:1/v1"
        wire_api = "responses"
        experimental_bearer_token = "0123abcd.secretsecret"

        """)]
    [InlineData("crush", """{"options":{"debug":true},"models":{"small":{"model":"x","provider":"y"}}}""", """
        {"options":{"debug":true},"models":{"small":{
          "model": "glm-4.5-air",
          "provider": "glimmer"
        },
          "large": {
            "model": "glm-4.7",
            "provider": "glimmer"
          }
        },
          "providers": {
            "glimmer": {
              "name": "Glimmer",
              "type": "openai-compat",
              "base_url": "http://h:1/api/paas/v4",
              "api_key": "0123abcd.secretsecret",
              "models": [
                {
                  "id": "glm-4.7",
                  "name": "GLM-4.7",
                  "context_window": 200000,
                  "default_max_tokens": 131072
                },
                {
                  "id": "glm-4.5-air",
                  "name": "GLM-4.5-AIR",
                  "context_window": 200000,
                  "default_max_tokens": 131072
                }
              ]
            }
          }
        }
        """)]
    [InlineData("cline", """
        {
          "version": 1,
          "lastUsedProvider": "zai",
          "modes": {},
          "providers": {
            "openai-compatible": {
              "settings": {
                "provider": "openai-compatible",
                "headers": { "x": "y" },
                "maxTokens": 1
              },
              "updatedAt": "2026-01-01T00:00:00.000Z",
              "tokenSource": "manual"
            }
          }
        }
        """, """
        {
          "version": 1,
          "lastUsedProvider": "openai-compatible",
          "modes": {},
          "providers": {
            "openai-compatible": {
              "settings": {
                "provider": "openai-compatible",
                "headers": { "x": "y" },
                "maxTokens": 131072,
                "apiKey": "0123abcd.secretsecret",
                "model": "glm-4.7",
                "baseUrl": "http://h:1/v1",
                "contextWindow": 200000
              },
              "updatedAt": "2026-01-01T00:00:00.000Z",
              "tokenSource": "manual"
            }
          }
        }
        """)]
    [InlineData("cline", "", """
        {
          "version": 1,
          "lastUsedProvider": "openai-compatible",
          "providers": {
            "openai-compatible": {
              "settings": {
                "provider": "openai-compatible",
                "apiKey": "0123abcd.secretsecret",
                "model": "glm-4.7",
                "baseUrl": "http://h:1/v1",
                "contextWindow": 200000,
                "maxTokens": 131072
              },
              "updatedAt": "1970-01-01T00:00:00.000Z"
            }
          }
        }

        """)]
    [InlineData("qwen", """{"modelProviders":{"openai":[{"id":"mine","name":"Mine"},{"id":"old","name":"OLD (Glimmer)"}]},"ui":{"theme":"x"}}""", """
        {"modelProviders":{"openai":[
          {
            "id": "mine",
            "name": "Mine"
          },
          {
            "id": "glm-4.7",
            "name": "GLM-4.7 (Glimmer)",
            "baseUrl": "http://h:1/v1",
            "envKey": "GLIMMER_API_KEY",
            "generationConfig": {
              "contextWindowSize": 200000
            }
          },
          {
            "id": "glm-4.5-air",
            "name": "GLM-4.5-AIR (Glimmer)",
            "baseUrl": "http://h:1/v1",
            "envKey": "GLIMMER_API_KEY",
            "generationConfig": {
              "contextWindowSize": 200000
            }
          }
        ]},"ui":{"theme":"x"},
          "env": {
            "GLIMMER_API_KEY": "0123abcd.secretsecret"
          },
          "security": {
            "auth": {
              "selectedType": "openai"
            }
          },
          "model": {
            "name": "glm-4.7"
          }
        }
        """)]
    [InlineData("pi", "", """
        {
          "providers": {
            "glimmer": {
              "baseUrl": "http://h:1/api/paas/v4",
              "api": "openai-completions",
              "apiKey": "0123abcd.secretsecret",
              "compat": {
                "thinkingFormat": "zai",
                "supportsDeveloperRole": false,
                "supportsStore": false
              },
              "models": [
                {
                  "id": "glm-4.7",
                  "name": "GLM-4.7 (Glimmer)",
                  "reasoning": true,
                  "contextWindow": 200000,
                  "maxTokens": 131072
                },
                {
                  "id": "glm-4.5-air",
                  "name": "GLM-4.5-AIR (Glimmer)",
                  "reasoning": true,
                  "contextWindow": 200000,
                  "maxTokens": 131072
                }
              ]
            }
          }
        }

        """)]
    [InlineData("grok", """{"models":["grok-4","glm-4.7"],"settingsVersion":3}""", """
        {"models":[
          "glm-4.7",
          "glm-4.5-air",
          "grok-4"
        ],"settingsVersion":3,
          "baseURL": "http://h:1/v1",
          "apiKey": "0123abcd.secretsecret",
          "defaultModel": "glm-4.7"
        }
        """)]
    [InlineData("droid", """
        {
          "customModels": [{"model":"mine","displayName":"Mine"}, {"model":"old","displayName":"OLD (Glimmer)"}]
        }
        """, """
        {
          "customModels": [
            {
              "model": "mine",
              "displayName": "Mine"
            },
            {
              "model": "glm-4.7",
              "displayName": "GLM-4.7 (Glimmer)",
              "baseUrl": "http://h:1/api/anthropic",
              "apiKey": "0123abcd.secretsecret",
              "provider": "anthropic",
              "maxOutputTokens": 131072
            },
            {
              "model": "glm-4.5-air",
              "displayName": "GLM-4.5-AIR (Glimmer)",
              "baseUrl": "http://h:1/api/anthropic",
              "apiKey": "0123abcd.secretsecret",
              "provider": "anthropic",
              "maxOutputTokens": 131072
            }
          ]
        }
        """)]
    public void A_file_becomes_what_the_tool_reads(string name, string before, string after)
    {
        ConfiguredTool tool = ConfiguredTool.Find(name)!;
        string written = tool.Apply(before.ReplaceLineEndings("\n"), Settings);
        Assert.Equal(after.ReplaceLineEndings("\n"), written);
        Assert.Equal(written, tool.Apply(written, Settings));
        Assert.DoesNotContain("secretsecret", UnifiedDiff.Of("f", before, written), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cursor", "Override OpenAI Base URL")]
    [InlineData("copilot", "COPILOT_PROVIDER_BASE_URL")]
    public async Task A_tool_that_keeps_its_settings_elsewhere_is_told_step_by_step(string name, string step)
    {
        (int code, string said, string error) = await GlimmerProcess.RunAsync(_home, ["configure", name, "--home", _home, "--key", Settings.Key, "--url", "http://h:1"]);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Nothing was written", said, StringComparison.Ordinal);
        Assert.Contains(step, said, StringComparison.Ordinal);
        Assert.Contains("http://h:1/v1", said, StringComparison.Ordinal);
        Assert.DoesNotContain(Settings.Key, said, StringComparison.Ordinal);
        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, ["configure", name, "--home", _home, "--restore"])).ExitCode);
    }

    [Fact]
    public async Task What_is_left_to_do_is_told_and_a_file_of_another_name_is_edited_where_it_is()
    {
        string[] arguments = ["--home", _home, "--key", Settings.Key, "--yes"];
        Assert.Contains("roo-cline.autoImportSettingsPath", (await GlimmerProcess.RunAsync(_home, ["configure", "roo", .. arguments])).Output, StringComparison.Ordinal);
        string kilo = Path.Combine(_home, ".config", "kilo", "kilo.jsonc");
        Directory.CreateDirectory(Path.GetDirectoryName(kilo)!);
        await File.WriteAllTextAsync(kilo, "{ // mine\n}\n", TestContext.Current.CancellationToken);
        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, ["configure", "kilo", .. arguments])).ExitCode);
        Assert.Contains(Settings.Key, await File.ReadAllTextAsync(kilo, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.ChangeExtension(kilo, ".json")));
        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, ["configure", "kilo", .. arguments, "--restore"])).ExitCode);
        Assert.Equal("{ // mine\n}\n", await File.ReadAllTextAsync(kilo, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("claude-code", "[]")]
    [InlineData("goose", "[]")]
    [InlineData("roo", """{"providerProfiles":[]}""")]
    [InlineData("claude-code", """{"env":5}""")]
    [InlineData("claude-code", """{"env":{}""")]
    [InlineData("claude-code", """{"env":{}} x""")]
    [InlineData("droid", """{"customModels":{}}""")]
    [InlineData("cline", """{"version":2}""")]
    [InlineData("cline", """{"version":1,"providers":[]}""")]
    [InlineData("qwen", """{"modelProviders":{"openai":{}}}""")]
    [InlineData("grok", """{"models":"grok-4"}""")]
    [InlineData("codex", "model = [\n\"a\"]\n")]
    public void What_cannot_be_edited_is_left_alone(string name, string before) =>
        Assert.Throws<FormatException>(() => ConfiguredTool.Find(name)!.Apply(before, Settings));

    [Fact]
    public void Editing_any_object_changes_that_member_alone()
    {
        Random random = new(7);
        for (int round = 0; round < 300; round++)
        {
            JsonObject tree = Tree(random, 3);
            string[] path = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Name(random))];
            string text = Decorate(tree.ToJsonString(new JsonSerializerOptions { WriteIndented = random.Next(2) == 0 }), random);
            string written;
            try
            {
                written = JsoncEdit.Set(text, path, "new");
            }
            catch (FormatException)
            {
                continue; // something on the path is no object
            }

            JsonObject wanted = tree.DeepClone().AsObject(), place = wanted;
            foreach (string name in path[..^1])
            {
                if (place[name] is null)
                    place[name] = new JsonObject();
                place = place[name]!.AsObject();
            }

            place[path[^1]] = "new";
            Assert.True(JsonNode.DeepEquals(wanted, JsonNode.Parse(written, null, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })), $"{text}\n{string.Join('.', path)}\n{written}");
            Assert.Equal(text.Split("/*c*/").Length, written.Split("/*c*/").Length);
            Assert.Equal(written, JsoncEdit.Set(written, path, "new"));
        }
    }

    [Fact]
    public async Task A_file_is_written_shown_kept_and_brought_back()
    {
        string file = Path.Combine(_home, ".claude", "settings.json");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, "{\n  \"theme\": \"dark\"\n}\n");
        string[] arguments = ["configure", "claude-code", "--home", _home, "--key", Settings.Key];

        (int dry, string shown, string _) = await GlimmerProcess.RunAsync(_home, [.. arguments, "--dry-run"]);
        Assert.Equal((0, "{\n  \"theme\": \"dark\"\n}\n"), (dry, await File.ReadAllTextAsync(file)));
        Assert.Contains("+    \"ANTHROPIC_AUTH_TOKEN\": \"0123…", shown, StringComparison.Ordinal);
        Assert.DoesNotContain(Settings.Key, shown, StringComparison.Ordinal);

        (int unasked, string _, string refused) = await GlimmerProcess.RunAsync(_home, arguments);
        Assert.Equal(1, unasked);
        Assert.Contains("--yes", refused, StringComparison.Ordinal);

        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--yes"])).ExitCode);
        Assert.Contains(Settings.Key, await File.ReadAllTextAsync(file), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Contains("already set", (await GlimmerProcess.RunAsync(_home, [.. arguments, "--yes"])).Output, StringComparison.Ordinal);

        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--restore", "--yes"])).ExitCode);
        Assert.Equal("{\n  \"theme\": \"dark\"\n}\n", await File.ReadAllTextAsync(file));
        Assert.Equal([file], Directory.GetFiles(Path.GetDirectoryName(file)!));
        Assert.Equal(66, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--restore", "--yes"])).ExitCode);
    }

    [Fact]
    public void A_file_that_was_not_there_goes_away_again()
    {
        string path = Path.Combine(_home, ".codex", "config.toml");
        new ToolFile(path).Write("a = 1\n");
        new ToolFile(path).Write("a = 2\n");
        Assert.Equal("a = 2\n", new ToolFile(path).Text);
        new ToolFile(path).Restore();
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void A_difference_has_the_form_of_diff()
    {
        string before = string.Concat(Enumerable.Range(1, 20).Select(i => $"{i}\n"));
        string after = before.Replace("3\n4\n", "3\nx\n", StringComparison.Ordinal) + "21\n";
        Assert.Equal(
            "--- f\n+++ f\n@@ -1,7 +1,7 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n 7\n@@ -18,3 +18,4 @@\n 18\n 19\n 20\n+21\n",
            UnifiedDiff.Of("f", before, after));
    }

    private static JsonObject Tree(Random random, int depth)
    {
        JsonObject tree = [];
        for (int i = random.Next(4); i > 0; i--)
        {
            tree[Name(random)] = depth > 0 && random.Next(2) == 0 ? Tree(random, depth - 1) : random.Next(3) switch
            {
                0 => random.Next(100),
                1 => new JsonArray("a,}", "/* no */"),
                _ => "text \" , { // ä",
            };
        }

        return tree;
    }

    private static string Name(Random random) => ((char)('a' + random.Next(4))).ToString();

    /// <summary>Puts a comment before the outermost closing brace.</summary>
    private static string Decorate(string text, Random random) => random.Next(2) == 0 ? text : text[..^1] + "/*c*/" + text[^1];
}
