import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Starts {@code glimmer emulate}. GLIMMER_COMMAND may name the program ("dotnet /path/glimmer.dll"). */
public final class GlimmerEmulator implements AutoCloseable {
    public final String url;
    public final String key;
    private final Process process;
    private final HttpClient client = HttpClient.newHttpClient();

    private GlimmerEmulator(Process process, String url, String key) {
        this.process = process;
        this.url = url;
        this.key = key;
    }

    public static GlimmerEmulator start(Path scenario, String... arguments) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("glimmer");
        Path ready = folder.resolve("ready.json");
        String program = System.getenv().getOrDefault("GLIMMER_COMMAND", "glimmer");
        List<String> command = new ArrayList<>(List.of(program.split(" ")));
        command.addAll(List.of("emulate", scenario.toString(), "--port", "0", "--ready-file", ready.toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60); !Files.exists(ready); Thread.sleep(10)) {
            if (!process.isAlive() || System.nanoTime() > end) {
                process.destroy();
                throw new IOException("the emulator did not start");
            }
        }
        String json = Files.readString(ready);
        Files.delete(ready);
        Files.delete(folder);
        return new GlimmerEmulator(process, field(json, "url"), field(json, "key"));
    }

    public HttpResponse<String> call(String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + path))
            .header("Authorization", "Bearer " + key).header("Content-Type", "application/json")
            .method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body)).build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
    }

    private static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]+)\"").matcher(json);
        if (!found.find()) throw new IllegalStateException(json);
        return found.group(1);
    }

    /** The sample by itself; under JUnit 5 the two calls stand in {@code @BeforeAll} and a {@code @Test}. */
    public static void main(String[] arguments) throws Exception {
        try (GlimmerEmulator emulator = start(Path.of(arguments[0]), "--strict")) {
            String said = emulator.call("POST", "/v1/chat/completions",
                "{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":\"hello you\"}]}").body();
            if (!said.contains("Hello, hello you!")) throw new AssertionError(said);
            if (emulator.call("GET", "/emulator/verify", null).statusCode() != 200) throw new AssertionError("not as expected");
            System.out.println("passed");
        }
    }
}
