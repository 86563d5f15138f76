rule Sluice_Test
{
	strings:
		$marker = "what only the YARA rule of the test knows"
	condition:
		$marker
}
