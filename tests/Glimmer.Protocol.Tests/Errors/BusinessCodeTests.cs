using System.Buffers;
using System.Text;
using Glimmer.Protocol.Errors;

namespace Glimmer.Protocol.Tests.Errors;

public sealed class BusinessCodeTests
{
    // api.md §4.3, row by row.
    [Theory]
    [InlineData(500, "500,1200,1230,1234,1702")]
    [InlineData(401, "1000,1001,1002,1003,1004,1005,1100")]
    [InlineData(403, "1220")]
    [InlineData(400, "1210,1211,1212,1213,1214,1215,1221,1222,1231,1261,1300,1301,1703")]
    [InlineData(429, "1110,1111,1112,1113,1120,1121,1302,1303,1304,1305,1308,1309,1310,1311,1312,1313,1314,1315,1316,1317,1318,1319,1320,1321,1701")]
    public void Every_code_has_the_status_of_the_table(int status, string codes)
    {
        foreach (string code in codes.Split(','))
            Assert.Equal(status, ((BusinessCode)int.Parse(code)).HttpStatus());
    }

    [Fact]
    public void The_enumeration_is_the_table_and_every_code_speaks_both_languages()
    {
        Assert.Equal(51, Enum.GetValues<BusinessCode>().Length);
        foreach (BusinessCode code in Enum.GetValues<BusinessCode>())
        {
            Assert.NotEmpty(code.Template(MessageLanguage.English));
            Assert.Contains(code.Template(MessageLanguage.Chinese), character => character > 0x4E00);
            Assert.All(code.Digits(), digit => Assert.True(char.IsAsciiDigit(digit)));
        }
    }

    [Theory]
    [InlineData(MessageLanguage.English, """{"error":{"code":"1002","message":"Authorization Token is invalid, please ensure that the Authorization Token is correctly provided."}}""")]
    [InlineData(MessageLanguage.Chinese, """{"error":{"code":"1002","message":"Authentication Token 非法，请确认 Authentication Token 正确传递"}}""")]
    public void The_body_has_two_keys_and_plain_characters(MessageLanguage language, string expected)
    {
        var buffer = new ArrayBufferWriter<byte>();
        PlatformErrorWriter.Write(buffer, PlatformError.Of(BusinessCode.TokenInvalid), language);
        Assert.Equal(expected, Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    [Fact]
    public void Arguments_fill_the_template_in_both_languages()
    {
        var error = PlatformError.Of(BusinessCode.ParametersConflict, "stop", "tools");
        Assert.Equal("The parameters stop and tools must not be set together", error.Message);
        Assert.Equal("stop 与 tools 参数不能同时设置", error.Chinese);
        Assert.Equal(400, error.Status);
        Assert.Equal(503, (error with { Status = 503 }).Status);
    }
}
