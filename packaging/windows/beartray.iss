; The installer for Windows, for Inno Setup 6.3 or later: packaging/installers.py runs it as
;   ISCC /DVersion=1.2.3 /DBundle=FOLDER /DOut=FOLDER /DName=beartray-1.2.3-windows-x64-setup …
; For one person, without an administrator. Starting at login is switched in Beartray itself.

#define Program "beartray.exe"
#ifdef SignTool
  #define Signed "signonce"
#else
  #define Signed ""
#endif

[Setup]
; Never to be changed: by this an older version is found.
AppId={{6C1B6C1E-52C4-4B51-9E1D-0F7D8F7A63B2}
AppName=Beartray
AppVersion={#Version}
AppVerName=Beartray {#Version}
AppPublisher=Beartray contributors
AppCopyright={#Copyright}
VersionInfoVersion={#Version}
DefaultDirName={autopf}\Beartray
DefaultGroupName=Beartray
DisableProgramGroupPage=yes
DisableDirPage=auto
PrivilegesRequired=lowest
ArchitecturesAllowed={#Architecture}
ArchitecturesInstallIn64BitMode={#Architecture}
MinVersion=10.0.17763
LicenseFile={#License}
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\{#Program}
UninstallDisplayName=Beartray
OutputDir={#Out}
OutputBaseFilename={#Name}
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
; It is asked to quit below; what a person has open elsewhere is not touched.
CloseApplications=no
RestartApplications=no
#ifdef SignTool
SignTool={#SignTool}
SignedUninstaller=yes
#endif

[Languages]
Name: "english"; MessagesFile: "compiler:Default.isl"
Name: "german"; MessagesFile: "compiler:Languages\German.isl"

[InstallDelete]
; An older version's libraries would lie beside the new ones.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*.exe"; DestDir: "{app}"; Flags: ignoreversion {#Signed}
Source: "{#Bundle}\*"; Excludes: "\*.exe"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\Beartray"; Filename: "{app}\{#Program}"; AppUserModelID: "io.github.beartray"

[Run]
Filename: "{app}\{#Program}"; Description: "{cm:LaunchProgram,Beartray}"; Flags: nowait postinstall skipifsilent

[UninstallRun]
; The item that starts it at login would look for it in vain. Photos, settings and the journal stay.
Filename: "{app}\beartray-console.exe"; Parameters: "autostart off"; Flags: runhidden; RunOnceId: "LoginItem"

[Code]
procedure AskToQuit;
var
  Status: Integer;
  Waited: Integer;
  Console: String;
begin
  Console := ExpandConstant('{app}\beartray-console.exe');
  if not FileExists(Console) then
    exit;
  { Ends in order: what is begun is finished first. Status 3: none was running. }
  Waited := 0;
  while Exec(Console, 'quit', '', SW_HIDE, ewWaitUntilTerminated, Status) and (Status = 0) and (Waited < 20) do
  begin
    Sleep(500);
    Waited := Waited + 1;
  end;
end;

function PrepareToInstall(var NeedsRestart: Boolean): String;
begin
  AskToQuit;
  Result := '';
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
begin
  if Step = usUninstall then
    AskToQuit;
end;
